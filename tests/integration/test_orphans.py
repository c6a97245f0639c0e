"""Child rows and their records: what the loader keeps together, as no foreign key does."""

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.loader.load import load_silver
from services.ops import main
from services.ops.reconcile.orphans import orphaned_rows
from tests.integration.test_loader import DATASET, MONDAY, TUESDAY, posting, silver_object

pytestmark = pytest.mark.integration

PLACES = text("select count(*) from silver.job_location where control_number = 1")


def test_a_changed_record_takes_its_old_child_rows_along(database: Engine) -> None:
    with database.begin() as connection:
        load_silver(connection, silver_object([posting(1, places=3), posting(2)], MONDAY))
        load_silver(
            connection, silver_object([posting(1, title="Welder", places=1), posting(2)], TUESDAY, sequencer="0B")
        )
        assert connection.scalar(PLACES) == 1
        assert orphaned_rows(connection, DATASET) == {}


def test_child_rows_without_their_record_are_counted_by_table(database: Engine) -> None:
    with database.begin() as connection:
        load_silver(connection, silver_object([posting(1, places=3), posting(2)], MONDAY))
        connection.execute(text("delete from silver.job where control_number = 1"))
        assert orphaned_rows(connection, DATASET) == {"job_details": 1, "job_location": 3, "job_category": 1}
    result = CliRunner().invoke(main.app, ["reconcile"])
    assert (result.exit_code, "orphaned: 3 rows of silver.job_location" in result.output) == (1, True)
