"""Every table of the product, so that migrations and checks see the whole schema."""

from hortus.accounts import tables as accounts
from hortus.admin.audit import tables as audit
from hortus.admin.credits import tables as given_credits
from hortus.auth import tables as auth
from hortus.billing import tables as billing
from hortus.billing.auto_topup import tables as auto_topup
from hortus.billing.coupons import tables as coupons
from hortus.billing.referrals import tables as referrals
from hortus.chat import tables as chat
from hortus.core import tables as core
from hortus.core.db import Base
from hortus.files import tables as files
from hortus.generation import tables as generation
from hortus.invoicing import tables as invoicing
from hortus.ledger import tables as ledger
from hortus.payments.sandbox import tables as sandbox
from hortus.privacy import tables as privacy
from hortus.quotas import tables as quotas
from hortus.routing import tables as routing
from hortus.tasks import tables as tasks

ALL = (
    accounts,
    audit,
    auth,
    auto_topup,
    billing,
    chat,
    core,
    coupons,
    files,
    generation,
    given_credits,
    ledger,
    invoicing,
    privacy,
    quotas,
    referrals,
    sandbox,
    routing,
    tasks,
)
metadata = Base.metadata
