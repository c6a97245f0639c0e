"""A dataset whose source is described in its contract, from the simulator to Postgres."""

from collections.abc import Iterator, Mapping

import pytest
from sqlalchemy import Engine

from tests.integration.extraction import Extraction, extraction

pytestmark = pytest.mark.integration


@pytest.fixture
def codes(backends: Mapping[str, str], database: Engine) -> Iterator[Extraction]:
    assert backends
    assert database
    with extraction("usajobs_codes", "rest-source") as ready:
        yield ready


def test_a_run_without_an_announced_number_is_complete_with_its_last_page(codes: Extraction) -> None:
    codes.plan()
    assert codes.run() == (False, None, 0)
    assert codes.work() == 8
    assert codes.run() == (True, 8, 0)
    assert codes.scalar("select count(*) from silver.code_list") == 8


def test_a_run_of_one_list_leaves_the_others_active(codes: Extraction) -> None:
    codes.plan()
    codes.work()
    codes.plan(list="hiringpaths")
    assert codes.work() == 1
    assert codes.run() == (True, 1, 0)
