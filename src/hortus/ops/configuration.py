"""Reads every settings group of every package and adapter once, at start, and reports every invalid one."""

import difflib
import importlib.util
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import ValidationError

from hortus import auth, billing, invoicing, payments, privacy, providers, quotas, routing, senders
from hortus.core import rate_limits
from hortus.core.configuration import (
    BadSettings,
    Configuration,
    Finding,
    SettingsGroup,
    UnsafeSettings,
    findings_of,
    variables_of,
)
from hortus.core.settings import RATE_LIMIT, Settings
from hortus.tasks.concurrency import slots_by_queue

ENV_FILE = Path(".env")
ALSO_READ = frozenset({"HORTUS_ADMIN_PASSWORD", "GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"})
"""Variables that are read without being a field of a group."""
OF_LIBRARIES = ("OTEL_", "SENTRY_")
"""Prefixes of variables that libraries read by themselves."""
_FROM_CLUSTER = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)")
"""Variables that Kubernetes and Docker set for each service, such as `REDIS_PORT=tcp://…`."""
_ISSUER = re.compile(
    r"OIDC_[A-Z0-9_]+?_(CLIENT_ID|CLIENT_SECRET|ISSUER|TITLE|SCOPES|SIGNUP|LINK_BY_EMAIL|ROLE_CLAIM|ROLES|TIMEOUT)"
)
_NEAR = 0.8


def groups() -> tuple[type[SettingsGroup], ...]:
    """Every settings group but those of issuers, whose names the operator chooses."""
    return (
        Settings,
        auth.BreachSettings,
        auth.OtpSettings,
        quotas.PlanSettings,
        billing.BillingSettings,
        invoicing.InvoiceSettings,
        privacy.PrivacySettings,
        *senders.SETTINGS_GROUPS,
        *providers.settings_groups(),
        *payments.settings_groups(),
    )


def read(settings: Settings) -> Configuration:
    """Every group, with `settings` as the one of the server. Raises BadSettings with all findings."""
    configuration, findings = examine(settings)
    if findings:
        raise BadSettings(findings)
    return configuration


def read_server(**overrides: object) -> Settings:
    """The settings of the server; `overrides` are its fields that a command line names.

    Raises BadSettings with all findings, those of other groups too.
    """
    unreadable = _env_file_problem()
    if unreadable is not None:
        raise BadSettings([unreadable])
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise BadSettings([*findings_of(Settings, error), *_of_others()[2]]) from None


def examine(settings: Settings) -> tuple[Configuration, list[Finding]]:
    """Every group that can be built, and every finding."""
    read_groups, issuers, findings = _of_others()
    findings += _of_server(settings)
    return Configuration([settings, *read_groups], issuers), findings


def _of_others() -> tuple[list[SettingsGroup], list[auth.ConfiguredIssuers], list[Finding]]:
    """Every group but that of the server, the issuers if all of them can be read, and every finding."""
    built: list[SettingsGroup] = []
    issuers: list[auth.ConfiguredIssuers] = []
    findings: list[Finding] = []
    for group in groups():
        if group is Settings:
            continue
        try:
            built.append(group())
        except ValidationError as error:
            findings += findings_of(group, error)
    try:
        issuers.append(auth.ConfiguredIssuers(auth.read_oidc_providers()))
    except BadSettings as error:
        findings += error.findings
    return built, issuers, findings


def _of_server(settings: Settings) -> Iterator[Finding]:
    """Checks across fields: files that must be readable, optional libraries, secrets on a public address."""
    try:
        slots_by_queue(settings.worker_queues, settings.worker_concurrency)
    except ValueError as error:
        rule = "queues with commas between them, such as media=4,mail"
        yield Finding("WORKER_QUEUES", f"WORKER_QUEUES must be {rule}: {error}.")
    try:
        routing.load(settings.catalog_path)
    except routing.CatalogError as error:
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        yield Finding("CATALOG_PATH", f"CATALOG_PATH must be a catalogue, not {settings.catalog_path}: {reason}.")
    if settings.otel_exporter_otlp_endpoint and importlib.util.find_spec("opentelemetry") is None:
        yield Finding(
            "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT needs the extra: install hortus[observe]."
        )
    if settings.sentry_dsn.get_secret_value() and importlib.util.find_spec("sentry_sdk") is None:
        yield Finding("SENTRY_DSN", "SENTRY_DSN needs the extra: install hortus[observe].")
    try:
        settings.refuse_unsafe()
    except UnsafeSettings as error:
        yield Finding("SECRET_KEY", str(error))


def _env_file_problem() -> Finding | None:
    try:
        with ENV_FILE.open(encoding="utf-8") as file:
            wrong = [line.original.line for line in parse_stream(file) if line.error]
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        return Finding(".env", f"The file .env must be readable text, and cannot be read: {reason}.")
    if wrong:
        return Finding(".env", f"The file .env must hold lines such as NAME=value, and line {wrong[0]} is none.")
    return None


# Unread variables ------------------------------------------------------------


def known_variables() -> frozenset[str]:
    """Every variable that a setting reads, except those of issuers."""
    fields = {name for group in groups() for field in group.model_fields for name in variables_of(group, field)}
    rates = {f"{RATE_LIMIT}{name}".upper() for name in rate_limits.declared_names()}
    return frozenset(fields | rates | ALSO_READ)


def unread(environment: Mapping[str, str] | None = None) -> list[tuple[str, str | None]]:
    """Variables that look like ours and are not read, each with the nearest name that is read.

    All of `.env` is ours; of the environment, the names with a prefix of ours and those close to one of our names.
    """
    known = known_variables()
    given = os.environ if environment is None else environment
    prefixes = {f"{name.split('_')[0]}_" for name in known if "_" in name} - {"DEFAULT_", "FROM_", "LOG_", "MAX_"}
    ours = [name for name in dotenv_values(ENV_FILE) if name not in given]
    ours += [name for name in given if name.startswith(tuple(prefixes)) or _nearest(name, known, 0.9) is not None]
    return [
        (name, _nearest(name, known, _NEAR))
        for name in sorted(set(ours))
        if not (name.upper() in known or name.startswith(OF_LIBRARIES))
        and not _ISSUER.fullmatch(name)
        and not _FROM_CLUSTER.fullmatch(name)
    ]


def _nearest(name: str, known: frozenset[str], cutoff: float) -> str | None:
    return next(iter(difflib.get_close_matches(name.upper(), known, 1, cutoff)), None)


def placeholders(configuration: Configuration) -> list[str]:
    """The variables whose value is an example's placeholder, of every group."""
    found = {name for group in configuration for name in group.placeholders()}
    return sorted(found)
