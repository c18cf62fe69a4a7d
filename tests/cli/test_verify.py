"""`hortus audit verify --expect` detects a log that was rewritten as a whole, which the chain alone cannot."""

from pathlib import Path

from sqlalchemy import text
from tests.admin.test_audit import fill, unprotect

from hortus.cli.verify import verify_audit
from hortus.core.db import Database
from hortus.core.settings import Settings


def settings_of(database_url: str, folder: Path) -> Settings:
    return Settings(data_dir=folder, database_url=database_url, secret_key="k" * 40)


async def test_the_command_verifies_the_expected_position(database: Database, database_url: str, tmp_path: Path):
    settings = settings_of(database_url, tmp_path)
    await fill(database, 3)
    broken, line = await verify_audit(settings, None)
    known = line.rpartition(" ")[2]
    assert (broken, line.startswith("The audit log holds: 3 events, ending at 3:")) == ([], True)
    await fill(database, 3)
    assert (await verify_audit(settings, known))[0] == []
    assert (await verify_audit(settings, f"9:{'0' * 64}"))[0] == ["event 9: expected, and missing"]
    assert (await verify_audit(settings, f"2:{known[2:]}"))[0] == ["event 2: its digest differs from the expected one"]
    assert "is not POSITION:DIGEST" in (await verify_audit(settings, "x"))[0][0]


async def test_a_truncated_log_with_a_new_end_is_found_by_the_expected_position(
    database: Database, database_url: str, tmp_path: Path
):
    settings = settings_of(database_url, tmp_path)
    await fill(database, 4)
    known = (await verify_audit(settings, None))[1].rpartition(" ")[2]
    await unprotect(database)
    async with database.transaction() as tx:
        await tx.execute(text("DELETE FROM audit_events WHERE position = 4"))
        await tx.execute(
            text("UPDATE audit_head SET position = 3, digest = (SELECT digest FROM audit_events WHERE position = 3)")
        )
    assert (await verify_audit(settings, None))[0] == []
    assert (await verify_audit(settings, known))[0] == ["event 4: expected, and missing"]
