"""Renders messages from templates in English and Hindi. Values are escaped; a missing value is an error.

Each template is one file of blocks: `subject`, `text` and `html` for mail, `sms` where there is one.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from hortus.senders.base import Mail, Sms

if TYPE_CHECKING:
    from jinja2 import Environment, Template

LANGUAGES = ("en", "hi")
_LIKE_A_LINK = re.compile(r"[:/\\@]|\w\.\w")
TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "verify_email": ("code", "minutes"),
    "reset_password": ("code", "minutes"),
    "sign_in_code": ("code", "minutes"),
    "sign_up_code": ("code", "minutes"),
    "already_registered": (),
    "account_claimed": (),
    "password_changed": (),
    "new_sign_in": ("device", "address", "time"),
    "account_deleted": ("erased_on",),
    "data_export_ready": ("expires_on",),
    "low_balance": ("available",),
    "payment_failed": ("amount",),
    "auto_topup_stopped": (),
    "email_changed": ("new_email",),
    "wrong_codes": (),
    "identifier_added": ("identifier",),
    "identifier_removed": ("identifier",),
    "passkey_added": (),
    "passkey_removed": ("time",),
    "second_factor_removed": (),
    "session_reused": ("device", "time"),
    "signed_out": ("time",),
    "account_suspended": ("time",),
}
"""Required values of each template; `name` and `link` are optional for all and may be None."""


def mail(to: str, template: str, language: str, values: Mapping[str, Any]) -> Mail:
    """The mail; raises ValueError for an unknown template or an address with control characters."""
    shown = {"link": None, **values, "name": _harmless(values.get("name"))}
    plain, rich = _template(template, language, html=False), _template(template, language, html=True)
    return Mail(
        to=_one_line(to, 320),
        # A subject is one line, also if the name contains line breaks.
        subject=" ".join(_block(plain, "subject", shown).split())[:200],
        text=_block(plain, "text", shown).strip() + "\n",
        html=_block(rich, "html", shown).strip() + "\n",
    )


def sms(to: str, template: str, language: str, values: Mapping[str, Any]) -> Sms:
    """The text message; raises ValueError for a template that has none."""
    return Sms(to=_one_line(to, 40), text=_block(_template(template, language, html=False), "sms", values).strip())


def language_of(accept_language: str) -> str:
    """The template language for a language tag such as `hi-IN`; English for an unknown one."""
    short = accept_language.replace("_", "-").split("-", maxsplit=1)[0].lower()
    return short if short in LANGUAGES else "en"


def _harmless(name: object) -> str | None:
    """The name, unless it looks like a link: a sign-up can contain any name."""
    return name if isinstance(name, str) and not _LIKE_A_LINK.search(name) else None


def _one_line(value: str, longest: int) -> str:
    if not value or len(value) > longest or not value.isprintable():
        raise ValueError("this is no address to send to")
    return value


def _block(template: "Template", name: str, values: Mapping[str, Any]) -> str:
    block = template.blocks.get(name)
    if block is None:
        raise ValueError(f"{template.name} has no {name}")
    return "".join(block(template.new_context(dict(values))))


@cache
def _environment(*, html: bool) -> "Environment":
    from jinja2 import PackageLoader, StrictUndefined  # noqa: PLC0415 - loaded by the first mail
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - likewise

    return ImmutableSandboxedEnvironment(
        loader=PackageLoader("hortus.senders"),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template(name: str, language: str, *, html: bool) -> "Template":
    if name not in TEMPLATES:
        raise ValueError(f"there is no template {name}")
    return _environment(html=html).get_template(f"{language_of(language)}/{name}.jinja")
