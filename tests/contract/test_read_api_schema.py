"""The read API keeps to its OpenAPI document, whatever it is asked."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok, Result
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import Engine

from services.serving.gold.refresh import refresh
from tests import served
from tests.served import SEARCH, hold, posting

pytestmark = pytest.mark.integration

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def filled(backends: Mapping[str, str]) -> Iterator[Engine]:  # noqa: ARG001 - it is running
    engine = served.empty_gold()
    hold(engine, SEARCH, [posting(n, title) for n, title in enumerate(("Nurse", "Assayer", "Data Engineer"), start=1)])
    refresh(engine, always=True)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def document(filled: Engine) -> Iterator[schemathesis.BaseSchema]:  # noqa: ARG001 - it is filled
    with served.api() as api:
        yield schemathesis.openapi.from_url(f"{api.base_url}/openapi.json")


def valid(result: Result[Any, Any]) -> Any:
    """The operation. Fails if the document does not describe it by the rules of OpenAPI."""
    assert isinstance(result, Ok), result.err()
    return result.ok()


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_question_gets_an_answer_that_the_document_describes(
    document: schemathesis.BaseSchema, mode: GenerationMode
) -> None:
    operations = [valid(result) for result in document.get_all_operations()]
    assert len(operations) > 10
    for operation in operations:
        if not [*operation.iter_parameters()]:
            continue  # nothing can be asked wrongly

        @settings(
            max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(checks=CHECKS)

        ask()
