"""Every api of the product. Only `main` mounts one."""

from hortus.admin.audit import api as audit
from hortus.admin.coupons import api as admin_coupons
from hortus.admin.credits import api as given_credits
from hortus.admin.doctor import api as doctor
from hortus.admin.moderation import api as content
from hortus.admin.offers import api as offers
from hortus.admin.payments import api as money
from hortus.admin.price_list import api as selling
from hortus.admin.settings import api as shown_settings
from hortus.admin.tasks import api as work
from hortus.admin.users import api as admin_users
from hortus.auth.api import api_keys, identifiers, mfa, oidc, otp, passkeys, password_reset, sessions, users
from hortus.billing.auto_topup import api as auto_topup
from hortus.billing.checkout import api as checkout
from hortus.billing.coupons import api as coupons
from hortus.billing.payments import api as payments
from hortus.billing.price_list import api as price_list_api
from hortus.billing.referrals import api as referrals
from hortus.billing.statements import api as statements
from hortus.billing.subscriptions import api as subscriptions
from hortus.billing.webhooks import api as webhooks
from hortus.chat import api as chat
from hortus.files import api as files
from hortus.generation import api as generation
from hortus.generation.usage import api as usage
from hortus.invoicing import api as invoicing
from hortus.payments.sandbox import api as sandbox
from hortus.privacy import api as privacy

ALL = (
    users,
    admin_coupons,
    admin_users,
    audit,
    auto_topup,
    checkout,
    payments,
    price_list_api,
    subscriptions,
    chat,
    otp,
    content,
    coupons,
    doctor,
    mfa,
    files,
    generation,
    given_credits,
    identifiers,
    api_keys,
    money,
    offers,
    oidc,
    invoicing,
    statements,
    passkeys,
    privacy,
    referrals,
    password_reset,
    sandbox,
    selling,
    sessions,
    shown_settings,
    usage,
    webhooks,
    work,
)
