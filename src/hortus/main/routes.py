"""Every api of the product. Only `main` mounts one."""

from hortus.accounts import api as accounts
from hortus.accounts.factors import api as factors
from hortus.accounts.sessions import api as sessions
from hortus.chat import api as chat
from hortus.files import api as files
from hortus.generation import api as generation

ALL = (
    accounts,
    chat,
    factors,
    files,
    generation,
    sessions,
)
