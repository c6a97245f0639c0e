"""EventBridge Scheduler puts a run's command on the extract queue; nothing else has to know."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.conftest import Deployment

pytestmark = pytest.mark.e2e


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
    assert run["covered"] == run["announced"] > 0
