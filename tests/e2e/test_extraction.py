"""A run from the command to the last column, compared with an independent reading of what the API has."""

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from infra.embedded.simulator.market import Market
from tests.e2e.conftest import POSTINGS, Deployment, empty, run_outcome

pytestmark = pytest.mark.e2e

# Columns whose name is not the API's name in snake case, or which do not come from the field of that name.
IRREGULAR: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("job", "control_number"): lambda posting: posting["MatchedObjectId"],
    ("job", "minimum_range"): lambda posting: first_pay(posting).get("MinimumRange"),
    ("job", "maximum_range"): lambda posting: first_pay(posting).get("MaximumRange"),
    ("job", "rate_interval_code"): lambda posting: first_pay(posting).get("RateIntervalCode"),
    ("job_details", "who_may_apply_code"): lambda details: details["WhoMayApply"]["Code"],
    ("job_details", "who_may_apply_name"): lambda details: details["WhoMayApply"]["Name"],
    ("job_details", "preview_questionnaire_url"): lambda details: details.get("PreviewQuestionnaireurl"),
    ("job_details", "position_sensitivity"): lambda details: details.get(
        "PositionSensitivitiy", details.get("PositionSensitivity")
    ),
}
LISTS = {
    "job_location": "PositionLocation",
    "job_category": "JobCategory",
    "job_grade": "JobGrade",
    "job_schedule": "PositionSchedule",
    "job_offering_type": "PositionOfferingType",
    "job_remuneration": "PositionRemuneration",
    "job_formatted_description": "PositionFormattedDescription",
}
ENGINE_COLUMNS = {"object_id"}  # where the row came from: no field of the API


def first_pay(posting: dict[str, Any]) -> dict[str, Any]:
    return (posting["MatchedObjectDescriptor"]["PositionRemuneration"] or [{}])[0]


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def text(value: Any) -> str | None:
    return str(value).strip() or None


def by_type(data_type: str, value: Any) -> Any:
    """What Postgres must give back for a value of the API."""
    if data_type == "ARRAY":
        return [text(item) for item in value or [] if text(item)]
    if value is None or text(value) is None:
        return None
    convert: dict[str, Callable[[Any], Any]] = {
        "text": text,
        "bigint": int,
        "integer": int,
        "double precision": float,
        "boolean": lambda v: str(v).lower() in {"true", "yes", "y"},
        "numeric": lambda v: Decimal(re.sub(r"[$,]", "", str(v))),
        "timestamp without time zone": datetime.fromisoformat,
    }
    return convert[data_type](value)


def expected_rows(table: str, columns: dict[str, str], postings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for posting in postings:
        key = {"control_number": int(posting["MatchedObjectId"])}
        descriptor = posting["MatchedObjectDescriptor"]
        sources = {"job": [descriptor], "job_details": [descriptor["UserArea"]["Details"]]}
        sources |= {name: descriptor[field] for name, field in LISTS.items()}
        for ordinal, source in enumerate(sources[table], start=1):
            fields = {snake(name): value for name, value in source.items()} | {"ordinal": ordinal}
            row = {}
            for column, data_type in columns.items():
                irregular = IRREGULAR.get((table, column))
                value = irregular(posting if table == "job" else source) if irregular else fields.get(column)
                row[column] = by_type(data_type, value)
            rows.append(row | key)
    return rows


@pytest.fixture(scope="module")
def postings(deployment: Deployment, simulated_day: str) -> list[dict[str, Any]]:
    """Every open posting, read from the simulator's generator, not through the API."""
    state = deployment.simulator(day=simulated_day)
    market, day = Market(state["seed"], POSTINGS), date.fromisoformat(simulated_day)
    return [market.posting(number, day) for number in market.open_postings(day)]


@pytest.fixture(scope="module")
def outcome(deployment: Deployment, postings: list[dict[str, Any]]) -> dict[str, Any]:
    assert len(postings) > POSTINGS * 0.9
    empty(deployment)  # all that it extracts must be new, whatever modules came before
    return run_outcome(deployment.smelt, "usajobs_search")


def test_a_run_of_3000_postings_completes_and_adds_up(outcome: dict[str, Any], postings: list[dict[str, Any]]) -> None:
    run = outcome["run"]
    assert outcome["exit_code"] == 0
    assert outcome["complete"]
    assert run["planned_pages"] >= 6
    assert run["read"] == run["inserted"] == run["distinct_records"] == run["expected_records"] == len(postings)
    assert (run["updated"], run["unchanged"], run["stale"], run["quarantined"], outcome["missing"]) == (0, 0, 0, 0, 0)


@pytest.mark.usefixtures("outcome")
@pytest.mark.parametrize("table", ["job", "job_details", *LISTS])
def test_every_column_holds_what_the_api_has(
    deployment: Deployment, postings: list[dict[str, Any]], table: str
) -> None:
    described = deployment.rows(
        "select column_name, data_type from information_schema.columns where table_schema = 'silver'"
        " and table_name = %s",
        table,
    )
    columns = {c["column_name"]: c["data_type"] for c in described if c["column_name"] not in ENGINE_COLUMNS}
    order = "control_number" if {"ordinal"}.isdisjoint(columns) else "control_number, ordinal"
    expected = expected_rows(table, columns, postings)
    numbers = [int(item["MatchedObjectId"]) for item in postings]  # others came with other tests of this stack
    own = f"select {', '.join(columns)} from silver.{table} where control_number = any(%s) order by {order}"  # noqa: S608
    actual = deployment.rows(own, numbers)
    assert len(actual) == len(expected)
    assert all(a == e for a, e in zip(actual, expected, strict=True)), first_difference(actual, expected)


def first_difference(actual: list[dict[str, Any]], expected: list[dict[str, Any]]) -> str:
    pair = next((a, e) for a, e in zip(actual, expected, strict=True) if a != e)
    return "; ".join(
        f"{pair[1]['control_number']}.{name}: {pair[0][name]!r} is not {value!r}"
        for name, value in pair[1].items()
        if pair[0][name] != value
    )


@pytest.mark.usefixtures("outcome")
def test_both_workers_of_each_kind_took_part(deployment: Deployment) -> None:
    for service in ("extractor", "transformer", "loader"):
        for number in (1, 2):
            log = (deployment.home / "logs" / f"{service}-{number}.log").read_text()
            assert '"event":"message.settled"' in log, f"{service}-{number} did nothing"


@pytest.mark.usefixtures("outcome")
def test_the_same_run_again_changes_nothing(deployment: Deployment, postings: list[dict[str, Any]]) -> None:
    again = run_outcome(deployment.smelt, "usajobs_search")
    assert again["exit_code"] == 0
    assert again["run"]["unchanged"] == len(postings)


@pytest.mark.usefixtures("outcome")
def test_a_part_of_the_postings_is_extracted_by_parameter(
    deployment: Deployment, postings: list[dict[str, Any]]
) -> None:
    series = postings[0]["MatchedObjectDescriptor"]["JobCategory"][0]["Code"]
    wanted = [
        posting
        for posting in postings
        if series in {category["Code"] for category in posting["MatchedObjectDescriptor"]["JobCategory"]}
    ]
    part = run_outcome(deployment.smelt, "usajobs_search", "--param", f"job_category_code={series}")
    assert part["run"]["read"] == len(wanted)
    assert part["exit_code"] == 0


@pytest.mark.usefixtures("outcome")
def test_the_next_day_changes_only_what_changed(
    deployment: Deployment, postings: list[dict[str, Any]], simulated_day: str
) -> None:
    state = deployment.simulator(advance_days=1)
    market, day = Market(state["seed"], POSTINGS), date.fromisoformat(state["day"])
    before = {int(posting["MatchedObjectId"]): posting for posting in postings}
    after = {int(number): market.posting(number, day) for number in market.open_postings(day)}
    changed = {number for number in before.keys() & after.keys() if before[number] != after[number]}

    run = run_outcome(deployment.smelt, "usajobs_search")["run"]
    deployment.simulator(day=simulated_day)

    assert run["inserted"] == len(after.keys() - before.keys()) > 0
    assert run["updated"] == len(changed) > 0
    assert run["unchanged"] == len(before.keys() & after.keys()) - len(changed)


def test_a_schedule_starts_a_run(deployment: Deployment) -> None:
    queue = deployment.client("sqs").get_queue_attributes(
        QueueUrl=deployment.environment["SMELT_EXTRACT_QUEUE_URL"], AttributeNames=["QueueArn"]
    )
    command = {"version": 1, "type": "run", "dataset": "usajobs_search", "params": {"Keyword": "nurse"}}
    deployment.client("scheduler").create_schedule(
        Name="once",
        ScheduleExpression=f"at({datetime.now(UTC) + timedelta(seconds=5):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": queue["Attributes"]["QueueArn"],
            "RoleArn": "arn:aws:iam::000000000000:role/scheduler",
            "Input": json.dumps(command | {"trigger": "schedule once"}),
        },
    )

    def complete() -> list[dict[str, Any]]:
        return deployment.rows("select * from ops.run where trigger = 'schedule once' and completed_at is not null")

    run = deployment.eventually(complete, seconds=120)[0]
    assert run["params"] == {"Keyword": "nurse"}
    assert run["distinct_records"] == run["expected_records"] > 0
