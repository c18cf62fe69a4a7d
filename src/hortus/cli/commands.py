"""The commands of `hortus`, and the sentence and exit code of each failure to start."""

import asyncio
import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import click
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from hortus.core.background import run_loop
from hortus.core.configuration import BadSettings, UnsafeSettings
from hortus.core.gc_tuning import gc_disabled
from hortus.core.settings import Settings
from hortus.core.telemetry import log

if TYPE_CHECKING:
    from hortus.ops.databases import Role


class _Commands(TyperGroup):
    """Prints a failure to start as one sentence. Exit code 2: a setting is wrong; 1: a dependency is unavailable."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BadSettings as error:
            _refuse("These settings are not valid:" if len(error.findings) > 1 else error.findings[0].sentence)
            if len(error.findings) > 1:
                for each in error.findings:
                    console.print(f"  {each.sentence}", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(2) from None
        except UnsafeSettings as error:
            _refuse(str(error))
            raise typer.Exit(2) from None
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except Exception as error:
            from hortus.ops.preflight import NotStarted, reason_of  # noqa: PLC0415 - `hortus --help` stays quick

            if isinstance(error, NotStarted):
                _refuse(str(error))
                raise typer.Exit(error.code) from None
            reason = reason_of(error)
            if reason is None:
                raise
            _refuse(f"{reason[0].upper()}{reason[1:]}.")
            raise typer.Exit(1) from None


def _refuse(sentence: str) -> None:
    console.print("[red]Not started.[/red]", end=" ")
    console.print(sentence, markup=False, highlight=False, soft_wrap=True)


app = typer.Typer(
    help="Sell generative AI from your own server.", no_args_is_help=True, add_completion=False, cls=_Commands
)
console = Console()
Host = Annotated[str | None, typer.Option(help="Address to listen on; HOST, or 127.0.0.1.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; PORT, or 8000.", min=0, max=65535)]
Data = Annotated[Path | None, typer.Option(help="Folder for the database, files and the secret key.")]


def _settings(**overrides: object) -> Settings:
    """Read and check every setting of every package, once, before anything else."""
    from hortus.ops import configuration  # noqa: PLC0415 - `hortus --help` stays quick

    settings = configuration.read_server(**overrides)
    configuration.read(settings)
    log.configure(settings.log_level, settings.log_format)
    return settings


def _checked(role: "Role" = "console", **overrides: object) -> Settings:
    """The settings, once the data folder is writable and the database answers."""
    from hortus.ops import preflight  # noqa: PLC0415 - `hortus --help` stays quick

    settings = _settings(**overrides)
    preflight.check(settings, role)
    return settings


def _require_migrated(settings: Settings) -> None:
    from hortus.ops import migrations  # noqa: PLC0415 - `hortus --help` stays quick

    migrations.require_migrated(settings)


@app.command()
def up(host: Host = None, port: Port = None, data: Data = None) -> None:
    """Start everything in one process: migrate, serve, work, schedule."""
    with gc_disabled():
        # The only process: no other one can end a session that is cached here.
        settings = _settings(host=host, port=port, data_dir=data, principal_cache_seconds=30.0)
        from hortus.main import server  # noqa: PLC0415 - `hortus --help` stays quick
        from hortus.ops import migrations, preflight  # noqa: PLC0415 - `hortus --help` stays quick

        sockets = preflight.bind(settings.host, settings.port)
        preflight.check(settings)
        migrated = migrations.begin_upgrade(settings)

    raise typer.Exit(server.serve(settings, sockets, work=True, console=console, migrated=migrated))


@app.command()
def serve(host: Host = None, port: Port = None, data: Data = None) -> None:
    """Serve the API and leave background work to `hortus worker`. Run `hortus migrate` before."""
    with gc_disabled():
        settings = _settings(host=host, port=port, data_dir=data)
        from hortus.main import server  # noqa: PLC0415 - `hortus --help` stays quick
        from hortus.ops import preflight  # noqa: PLC0415 - `hortus --help` stays quick

        sockets = preflight.bind(settings.host, settings.port)
        preflight.check(settings)
    _require_migrated(settings)
    raise typer.Exit(server.serve(settings, sockets, work=False, console=console))


@app.command()
def worker(
    data: Data = None,
    queues: Annotated[str | None, typer.Option(help="Serve only these, as in `media=4,mail`.")] = None,
) -> None:
    """Run background tasks, periodic ones too, until stopped; with CELERY_BROKER_URL as a Celery worker."""
    with gc_disabled():
        settings = _checked("worker", data_dir=data, worker_queues=queues)
    _require_migrated(settings)
    if settings.celery_broker_url:
        with gc_disabled():
            from hortus.main import worker as celery  # noqa: PLC0415 - Celery is loaded only where it is used

        raise typer.Exit(celery.run(settings))
    with gc_disabled():
        from hortus.main import server  # noqa: PLC0415 - `hortus --help` stays quick

    run_loop(server.work(settings))


@app.command()
def scheduler(data: Data = None) -> None:
    """Enqueue periodic tasks and notify workers of waiting tasks, until stopped. Several may run at once."""
    settings = _checked("worker", data_dir=data)
    from hortus.main import server  # noqa: PLC0415 - `hortus --help` stays quick

    _require_migrated(settings)
    run_loop(server.schedule(settings))


@app.command()
def migrate(data: Data = None) -> None:
    """Bring the database to the schema of this version; safe to repeat."""
    from hortus.ops import migrations  # noqa: PLC0415 - `hortus --help` stays quick

    settings = _checked("migration", data_dir=data)
    migrations.upgrade(settings)
    console.print(f"The database is at revision [bold]{migrations.head()}[/bold] or newer.")


@app.command("create-admin")
def create_admin(
    address: Annotated[str | None, typer.Argument(help="E-mail address of the new administrator.")] = None,
    email: Annotated[str | None, typer.Option(help="The same as an option.")] = None,
    data: Data = None,
) -> None:
    """Create an administrator. The password comes from HORTUS_ADMIN_PASSWORD or a prompt."""
    settings = _checked(data_dir=data)
    from hortus.cli import create_admin as admins  # noqa: PLC0415 - `hortus --help` stays quick

    email = address or email or typer.prompt("E-mail address")
    password = os.environ.get("HORTUS_ADMIN_PASSWORD")
    if password is None and not sys.stdin.isatty():
        _refuse("Set HORTUS_ADMIN_PASSWORD, or run this at a terminal, which prompts for the password.")
        raise typer.Exit(2)
    if password is None:
        password = getpass.getpass("Password: ")
        if password != getpass.getpass("Once more: "):
            console.print("[red]The two differ.[/red]")
            raise typer.Exit(1)
    problem = asyncio.run(admins.create_admin(settings, email, password))
    if problem is not None:
        console.print(f"[red]Not made.[/red] {problem}")
        raise typer.Exit(1)
    console.print(f"{email} is an administrator now.")


audit = typer.Typer(help="The audit log of administrators' actions.", no_args_is_help=True)
app.add_typer(audit, name="audit")


@audit.command("verify")
def verify_audit(
    expect: Annotated[
        str | None, typer.Option(help="POSITION:DIGEST that an earlier run printed; it must still be in the chain.")
    ] = None,
    data: Data = None,
) -> None:
    """Verify that no event of the audit log was edited or removed."""
    from hortus.cli import verify as checks  # noqa: PLC0415 - `hortus --help` stays quick

    _report(*asyncio.run(checks.verify_audit(_checked(data_dir=data), expect)))


def _report(broken: Sequence[str], line: str) -> NoReturn:
    """Print what was found, and exit with 1 if that is anything."""
    for place in broken:
        console.print(f"[red]!![/red] {place}", highlight=False, soft_wrap=True)
    console.print(line, highlight=False, soft_wrap=True)
    raise typer.Exit(int(bool(broken)))


@app.command()
def verify(data: Data = None) -> None:
    """Verify the ledger, the files and the audit log: after a restore, or every night."""
    from hortus.cli import verify as checks  # noqa: PLC0415 - `hortus --help` stays quick

    _report(*asyncio.run(checks.verify_all(_checked(data_dir=data))))


@app.command()
def backup(
    to: Annotated[Path, typer.Argument(help="The copy is made in a new folder below this one.")],
    data: Data = None,
) -> None:
    """Copy the SQLite database, the files and the secret key while everything runs."""
    from hortus.cli import backup as copies  # noqa: PLC0415 - `hortus --help` stays quick
    from hortus.core import clock  # noqa: PLC0415 - `hortus --help` stays quick

    try:
        target, lines = copies.back_up(_settings(data_dir=data), to, clock.now())
    except copies.BackupFailed as error:
        console.print(f"[red]No backup was made.[/red] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(f"[green]✓[/green] {target}", highlight=False, soft_wrap=True)
    for line in lines:
        console.print(f"  {line}", highlight=False, soft_wrap=True)


@app.command("schema")
def show_schema(
    form: Annotated[str, typer.Option("--as", help="openapi, postman, or page (docs/integrators/api.md).")] = "openapi",
) -> None:
    """Print the description of the API: for tools, for Postman, for people."""
    from typing import get_args  # noqa: PLC0415 - used here only

    from hortus.cli import openapi_docs  # noqa: PLC0415 - `hortus --help` stays quick

    if form not in get_args(openapi_docs.Form):
        raise typer.BadParameter(f"one of {', '.join(get_args(openapi_docs.Form))}")
    sys.stdout.write(openapi_docs.describe(form))  # type: ignore[arg-type]


@app.command("env-example")
def show_env_example() -> None:
    """Print .env.example: every setting with its default."""
    from hortus.cli import env_example  # noqa: PLC0415 - `hortus --help` stays quick

    sys.stdout.write(env_example.text())


@app.command()
def doctor(
    data: Data = None,
    check_vendors: Annotated[
        bool, typer.Option("--check-vendors", help="Ask each configured vendor whether it accepts the key.")
    ] = False,
) -> None:
    """List what is configured, what is reachable and what is missing, one line each."""
    from hortus.ops import configuration  # noqa: PLC0415 - `hortus --help` stays quick
    from hortus.ops import doctor as checks  # noqa: PLC0415 - `hortus --help` stays quick

    try:
        settings = configuration.read_server(data_dir=data)
        log.configure(settings.log_level, settings.log_format)
        findings = asyncio.run(checks.examine(settings, ask_vendors=check_vendors))
    except BadSettings as error:
        findings = checks.broken_settings(error.findings)
    table = Table("", "subject", "state", show_header=True, box=None)
    marks = {"ok": "[green]ok[/green]", "missing": "[yellow]--[/yellow]", "broken": "[red]!![/red]"}
    for finding in findings:
        table.add_row(marks[finding.state], finding.what, escape(finding.line))
    console.print(table)
    raise typer.Exit(int(any(finding.state == "broken" for finding in findings)))


@app.command()
def demo(
    url: Annotated[str | None, typer.Option(help="A running Hortus; without it the demo starts its own.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the image and the video.")] = Path("hortus-demo"),
    buy: Annotated[
        bool, typer.Option(help="Then buy Pro and a pack of credit in the sandbox, without real money.")
    ] = False,
) -> None:
    """Sign up, generate, chat and buy as a customer would, and save the results."""
    from hortus.cli import demo as journey  # noqa: PLC0415 - `hortus --help` stays quick

    try:
        asyncio.run(journey.run(console, url, out, buy=buy))
    except journey.DemoFailed as error:
        console.print(f"[red]The demo stopped:[/red] {error}")
        sys.exit(1)
