"""Every setting has a rule, and a value that breaks it is one sentence; nothing reads the environment later."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le
from pydantic import SecretStr, ValidationError

import hortus
from hortus import auth
from hortus.cli import env_example
from hortus.core import rate_limits
from hortus.core.configuration import SettingsGroup, findings_of, is_placeholder, rule_of, variables_of
from hortus.core.settings import Settings
from hortus.main import routes
from hortus.ops import configuration

SOURCE = Path(hortus.__file__).parent
PREFIX = "OIDC_ACME_"
READERS = {"ops/configuration.py", "core/settings.py", "auth/oidc_settings.py", "cli/commands.py"}
"""Where the environment is read: at start, by the settings and by the command line."""
FOR_CHILDREN = {
    "core/forked_worker.py",
    "invoicing/pdf.py",
    "cli/demo.py",
}
"""Where a part of the environment is handed on to a child process."""
BUILDERS = {"ops/configuration.py", "cli/openapi_docs/__init__.py"}
"""Where settings are built at start, besides the constructors of adapters."""


def all_groups() -> list[type[SettingsGroup]]:
    """Every subclass in the source, found by importing every module."""
    found = []
    for module in pkgutil.walk_packages([str(SOURCE)], "hortus."):
        if module.name.endswith("__main__"):
            continue
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(kind, SettingsGroup) and kind is not SettingsGroup and kind not in found:
                found.append(kind)
    return found


GROUPS = all_groups()
FIELDS = [(group, name) for group in GROUPS for name in group.model_fields]


def fields(*, of: Any = None) -> Any:
    chosen = [each for each in FIELDS if of is None or of(*each)]
    return pytest.mark.parametrize(("group", "name"), chosen, ids=lambda each: getattr(each, "__module__", each))


def test_a_process_reads_every_group_of_the_house():
    known = {*configuration.groups(), auth.OidcProviderSettings}
    assert [group for group in GROUPS if group not in known] == []


@fields()
def test_every_setting_has_a_rule_and_a_description(group: type[SettingsGroup], name: str):
    assert rule_of(group, name), "give it bounds, or a Rule"
    assert (group.model_fields[name].description or "").strip(), "say below the field what it is"
    assert group.heading


def kind_of(group: type[SettingsGroup], name: str) -> Any:
    annotation = group.model_fields[name].annotation
    alternatives = [each for each in get_args(annotation) if each is not type(None)]
    return alternatives[0] if type(None) in get_args(annotation) else annotation


def broken_values(group: type[SettingsGroup], name: str) -> Iterator[str]:
    """Values that no rule of that type of setting may let through."""
    field, kind = group.model_fields[name], kind_of(group, name)
    if kind is bool:
        yield "maybe"
    elif get_origin(kind) is Literal:
        yield "none of them"
    elif kind in (int, float):
        yield from ("three", "1e400", "nan", "--1")
        for bound in field.metadata:
            match bound:
                case Ge(ge=low):
                    yield str(low - 1)
                case Gt(gt=low):
                    yield str(low)
                case Le(le=high):
                    yield str(high + 1)
    elif get_origin(kind) is dict:
        yield from ("{", "[]", "5", "x" * 5000)
    else:
        yield "x\u0007" * 3000


@fields()
def test_a_value_that_breaks_the_rule_is_one_sentence(
    group: type[SettingsGroup], name: str, monkeypatch: pytest.MonkeyPatch
):
    if group is auth.OidcProviderSettings:
        given: dict[str, Any] = {"issuer": "https://id.example.com", "client_id": "c"}
        given.pop(name, None)
        options: dict[str, Any] = {"_env_prefix": PREFIX, **given}
        prefix: str | None = PREFIX
    else:
        options, prefix = {}, None
    variable = variables_of(group, name, prefix)[0]
    assert list(broken_values(group, name))
    for value in broken_values(group, name):
        monkeypatch.setenv(variable, value)
        with pytest.raises(ValidationError) as caught:
            group(_env_file=None, **options)
        (finding,) = findings_of(group, caught.value, prefix)
        assert finding.variable == variable
        assert finding.sentence.startswith(f"{variable} must be {rule_of(group, name)}")
        assert finding.sentence.count("\n") == 0
        assert len(finding.sentence) < 400
        assert not any(ord(character) < 32 for character in finding.sentence)


@fields(of=lambda group, name: "SecretStr" in str(group.model_fields[name].annotation))
def test_a_sentence_never_shows_a_secret(group: type[SettingsGroup], name: str, monkeypatch: pytest.MonkeyPatch):
    secret = "sk_live_opensesame\u0007"
    variable = variables_of(group, name, PREFIX if group is auth.OidcProviderSettings else None)[0]
    monkeypatch.setenv(variable, secret if group.model_fields[name].annotation is SecretStr else f'{{"a": 5, "{secret}')
    options = {"_env_prefix": PREFIX} if group is auth.OidcProviderSettings else {}
    with pytest.raises(ValidationError) as caught:
        group(_env_file=None, **options)  # type: ignore[arg-type]
    prefix = PREFIX if options else None
    assert "opensesame" not in "".join(each.sentence for each in findings_of(group, caught.value, prefix))
    assert "opensesame" not in str(caught.value)


@fields(of=lambda group, _name: group is not auth.OidcProviderSettings)
def test_an_empty_variable_counts_as_unset(group: type[SettingsGroup], name: str, monkeypatch: pytest.MonkeyPatch):
    for variable in variables_of(group, name):
        monkeypatch.delenv(variable, raising=False)
    unset = getattr(group(_env_file=None), name)
    monkeypatch.setenv(variables_of(group, name)[0], "")
    assert getattr(group(_env_file=None), name) == unset


def test_all_findings_are_given_at_once(monkeypatch: pytest.MonkeyPatch):
    wrong = {
        "BASIC_DAILY_LIMIT": "-1",
        "PAYMENT_GRACE_DAYS": "three",
        "RATE_LIMIT_REGISTER": "five",
        "OIDC_ACME_CLIENT_ID": "c",
        "STRIPE_CURRENCIES": "dollars",
        "GEMINI_BASE_URL": "gopher://x",
        "TOPUP_RATES": "{",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(configuration.BadSettings) as caught:
        configuration.read_server()
    found = {each.variable for each in caught.value.findings}
    assert found == {*wrong, "OIDC_ACME_ISSUER"} - {"OIDC_ACME_CLIENT_ID"}


# Read once -------------------------------------------------------------------


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """(file, name of the innermost function, call) of every call in the source."""
    for path in sorted(SOURCE.rglob("*.py")):
        stack: list[tuple[ast.AST, str]] = [(ast.parse(path.read_text()), "")]
        while stack:
            node, function = stack.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                function = node.name
            if isinstance(node, ast.Call):
                yield str(path.relative_to(SOURCE)), function, node
            stack += [(child, function) for child in ast.iter_child_nodes(node)]


def test_no_settings_are_built_where_they_are_used():
    names = {group.__name__ for group in GROUPS}
    found = []
    for file, function, call in calls():
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name not in names or file in BUILDERS or file == "auth/oidc_settings.py":
            continue
        if function != "__init__" or not file.startswith(("providers/", "payments/")):
            found.append(f"{file}:{call.lineno} builds {name}: ask `tx.settings` or the resources")
    assert found == []


def test_the_environment_is_read_at_start_only():
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"))
        or (isinstance(node, ast.Name) and node.id == "dotenv_values")
    }
    assert found <= READERS | FOR_CHILDREN
    assert found >= READERS


def test_every_rate_limit_is_declared():
    assert routes.ALL
    named = {
        call.args[1].value
        for _, _, call in calls()
        if getattr(call.func, "id", "") == "hit_limit" and isinstance(call.args[1], ast.Constant)
    }
    assert named
    assert named | {"register", "image", "video"} <= rate_limits.declared_names()


# Variables that nothing reads, and placeholders --------------------------------


def test_a_misspelt_variable_is_found_with_the_nearest_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PAYMNT_GRACE_DAYS=3\nFLASK_ENV=production\nPORT=8000\n")
    environment = {
        "STRIPE_SECERT_KEY": "x",
        "RATE_LIMIT_REGSTER": "5/minute",
        "DATABASEURL": "x",
        "OPENAI_ORG_ID": "x",
        "HOME": "/root",
        "PATH": "/bin",
        "LANG": "C",
        "REDIS_PORT_6379_TCP_ADDR": "10.0.0.1",
        "REDIS_SERVICE_HOST": "10.0.0.1",
        "HORTUS_PORT": "tcp://10.0.0.1:8000",
        "OTEL_EXPORTER_OTLP_HEADERS": "x",
        "SENTRY_RELEASE": "x",
        "OIDC_ACME_CLIENT_ID": "x",
        "SMTP_SERVER": "x",
        "JWT_SECRET": "x",
        "RATE_LIMIT_COUPON_NETWORK": "5/hour",
        "HORTUS_ADMIN_PASSWORD": "x",
    }
    assert dict(configuration.unread(environment)) == {
        "PAYMNT_GRACE_DAYS": "PAYMENT_GRACE_DAYS",
        "FLASK_ENV": None,
        "STRIPE_SECERT_KEY": "STRIPE_SECRET_KEY",
        "RATE_LIMIT_REGSTER": "RATE_LIMIT_REGISTER",
        "DATABASEURL": "DATABASE_URL",
        "OPENAI_ORG_ID": None,
    }


@pytest.mark.parametrize(
    "value",
    [
        "your_gemini_api_key_here", "YOUR-KEY", "sk_test_your-stripe-key", "sk-your_key", "changeme", "change-me",
        "CHANGE_THIS", "replace_me", "xxx", "sk-xxxxxxxx", "sk_test_XXXX", "<key>", "<your key>", "[API_KEY]", "{key}",
        "${GEMINI_API_KEY}", "$KEY", "...", "sk-...", "sk-…", "AIza...", "insert-key-here", "put_your_key_here",
        "placeholder", "example", "my-example-key", "todo", "none", "null", "whsec_your_webhook_secret", "****",
        "rzp_test_your_key_id", "dummy",
    ],
)  # fmt: skip
def test_placeholders_of_examples_are_recognised(value: str):
    assert is_placeholder(value)


@pytest.mark.parametrize(
    "value",
    [
        "", "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "sk_test_4eC39HqLyjWDarjtT1zdp7dc", "sk_live_51HxYz",
        "sk-proj-abc123DEF456", "rzp_test_1DP5mmOlF5G5ag", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "k" * 40,
        "AC0123456789abcdef0123456789abcdef", "tea pot full stop 7", "p", "sk-emulated", "Password1-for-mail",
        "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "ollama",
    ],
)  # fmt: skip
def test_keys_of_vendors_are_no_placeholders(value: str):
    assert not is_placeholder(value)


def test_a_placeholder_is_named_and_makes_nothing_ready(monkeypatch: pytest.MonkeyPatch):
    given = {
        "GEMINI_API_KEY": "your_gemini_api_key_here",
        "OPENAI_API_KEY": "sk-xxxxxxxx",
        "STRIPE_SECRET_KEY": "sk_test_your-key",
        "STRIPE_WEBHOOK_SECRET": "whsec_...",
        "RAZORPAY_KEY_ID": "rzp_test_your_key_id",
        "TWILIO_ACCOUNT_SID": "ACxxxxxxxxxxxxxxxx",
        "TWILIO_AUTH_TOKEN": "<token>",
        "SMTP_PASSWORD": "your_app_password",
        "SMS_HTTP_HEADERS": '{"X-Key": "changeme"}',
        "METRICS_TOKEN": "changeme",
        "SENTRY_DSN": "https://your-key@sentry.example.com/1",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    read, _ = configuration.examine(Settings(_env_file=None))
    assert set(given) <= set(configuration.placeholders(read))


# What is written about them ----------------------------------------------------


def test_the_example_is_as_new_as_the_settings():
    assert (SOURCE.parents[1] / ".env.example").read_text() == env_example.text(), "run `make reference`"


def test_a_copy_of_the_example_changes_nothing_and_each_line_is_read(tmp_path: Path):
    lines = env_example.text().splitlines()
    assert all(line.startswith("#") or not line for line in lines)
    given = dict(line[1:].split("=", 1) for line in lines if re.match(r"#[A-Z][A-Z0-9_]*=", line))
    assert {name for name in given if not name.startswith("OIDC_GOOGLE_")} <= configuration.known_variables()
    fields = {variables_of(group, name)[0] for group in configuration.groups() for name in group.model_fields}
    assert fields - {"RATE_LIMITS"} <= set(given)
    taken = tmp_path / ".env"
    taken.write_text("\n".join(f"{name}='{value}'" for name, value in given.items() if "OIDC_" not in name))
    for group in configuration.groups():
        assert group(_env_file=taken) == group(_env_file=None), "each default is written as it is read"


def test_the_readme_names_variables_that_are_read():
    page = (SOURCE.parents[1] / "README.md").read_text()
    named = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`", page))
    assert named >= {"DATABASE_URL", "GEMINI_API_KEY"}
    assert named <= configuration.known_variables()
