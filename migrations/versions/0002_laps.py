"""Tasks are served lap by lap, and the processes that work are known."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0002"
down_revision = "0001"

QUEUED, RUNNING, LIVE = (
    sa.text(f"status {test}") for test in ("= 'queued'", "= 'running'", "IN ('queued', 'running')")
)


def upgrade() -> None:
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.add_column(sa.Column("lap", sa.Integer(), server_default="0", nullable=False))
    op.drop_index("ix_tasks_to_claim", "tasks")
    op.drop_index("ix_tasks_leased", "tasks")
    op.create_index(
        "ix_tasks_to_claim",
        "tasks",
        ["queue", "priority", "lap", "run_at", "id"],
        postgresql_where=QUEUED,
        sqlite_where=QUEUED,
    )
    op.create_index(
        "ix_tasks_leased", "tasks", ["queue", "lease_until"], postgresql_where=RUNNING, sqlite_where=RUNNING
    )
    op.create_index("ix_tasks_of_user", "tasks", ["user_id", "queue", "lap"], postgresql_where=LIVE, sqlite_where=LIVE)
    op.create_table(
        "task_workers",
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("room", sa.JSON(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("started_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("seen_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_task_workers")),
    )


def downgrade() -> None:
    op.drop_table("task_workers")
    for name in ("ix_tasks_of_user", "ix_tasks_leased", "ix_tasks_to_claim"):
        op.drop_index(name, "tasks")
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.drop_column("lap")
    op.create_index("ix_tasks_leased", "tasks", ["lease_until"], postgresql_where=RUNNING, sqlite_where=RUNNING)
    op.create_index(
        "ix_tasks_to_claim",
        "tasks",
        ["queue", "priority", "run_at"],
        postgresql_where=QUEUED,
        sqlite_where=QUEUED,
    )
