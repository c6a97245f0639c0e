"""Schema `gold`, in SQL."""

from pathlib import Path

from alembic import op

revision = "gold_001"
down_revision = None
branch_labels = ("gold",)
depends_on = "ops_001"  # and the tables of datasets, which an upgrade makes after those of ops


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text()
    with op.get_bind().connection.cursor() as cursor:  # many statements, without parameters
        cursor.execute(sql)
