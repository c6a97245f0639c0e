"""What is said of a contract whose source is wrong, and what a correct one needs no more than."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.datasets import registry
from shared.datasets.source import Part, SequentialSource
from shared.errors import PermanentError
from tests.support.own_dataset import contract, own_dataset, smelt

BASE = {"baseUrl": "https://api.test/v1"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "source.baseUrl: Field required"),
        ({"baseUrl": "api.test"}, "source.baseUrl: String should match pattern"),
        ({"baseUrl": "https://me:secret@api.test"}, "source.baseUrl: String should match pattern"),
        ({**BASE, "pth": "/x"}, "source.pth: Extra inputs are not permitted"),
        ({**BASE, "path": "/{city}"}, "source: Value error, city: not in runParams"),
        ({**BASE, "firstRun": {"day": "1"}}, "source: Value error, day: not in runParams"),
        ({**BASE, "pagination": {"type": "pages"}}, "source.pagination: Input tag 'pages' found using 'type' does not"),
        (
            {**BASE, "pagination": {"type": "cursor", "param": "after"}},
            "source.pagination.cursor.cursor: Field required",
        ),
        (
            {**BASE, "pagination": {"type": "page", "param": "p", "in": "body"}},
            "source: Value error, pagination in the body needs a body",
        ),
        (
            {**BASE, "auth": {"type": "bearer", "token": "s3cret"}},
            "source.auth.bearer.token: Value error, expected the NAME of a setting, such as WEATHER_TOKEN",
        ),
        (
            {**BASE, "auth": {"type": "apiKey", "key": "MY_KEY"}},
            "source.auth.apiKey: Value error, a key has one place: header or queryParam",
        ),
        ({**BASE, "statuses": {404: "ignore"}}, "source.statuses.404: Input should be 'retry', 'fail' or 'empty'"),
        ({**BASE, "statuses": {200: "empty"}}, "source.statuses.200.\\[key\\]: Input should be greater than"),
        ({**BASE, "requestsPerSecond": 0}, "source.requestsPerSecond: Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_option_is_named_with_its_place(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    content = contract("mine", **smelt(source=options))
    with (
        own_dataset(tmp_path, content),
        pytest.raises(PermanentError, match=rf"mine\.odcs\.yaml: the contract: custom property smelt: {reason}"),
    ):
        assert registry.dataset("mine").contract


def test_an_address_is_enough(tmp_path: Path) -> None:
    with own_dataset(tmp_path, contract("mine", **smelt(source=BASE))):
        dataset = registry.dataset("mine")
        assert dataset.has_source
        assert isinstance(dataset.source, SequentialSource)
        assert dataset.source.plan({}, lambda _: None).parts == (Part({}, rows=0, pages=1),)
        request = dataset.source.request({}, page=1)
        assert (request.url, request.params, request.headers, request.body) == ("https://api.test/v1", {}, {}, None)
        assert (dataset.source.requests_per_second, dataset.source.lists_all, dataset.source.first_run) == (
            5,
            False,
            None,
        )


def test_a_setting_replaces_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API", "http://127.0.0.1:8000/")
    options = BASE | {"baseUrlSetting": "MY_API", "path": "/things"}
    with own_dataset(tmp_path, contract("mine", **smelt(source=options))):
        assert registry.dataset("mine").source.request({}, page=1).url == "http://127.0.0.1:8000/things"


def test_the_code_beside_a_contract_has_the_last_word(tmp_path: Path) -> None:
    with own_dataset(tmp_path, contract("mine", **smelt(source=BASE)), "SOURCE = 'code'\n"):
        assert str(registry.dataset("mine").source) == "code"


def test_a_dataset_without_a_source_says_so(tmp_path: Path) -> None:
    with own_dataset(tmp_path, contract("mine")):
        assert not registry.dataset("mine").has_source
        with pytest.raises(PermanentError, match="dataset 'mine' has no source: it is loaded from files"):
            assert registry.dataset("mine").source


def test_services_other_than_the_extractor_need_no_http_client() -> None:
    program = """
import sys
sys.modules["httpx"] = None  # an import of it fails
from shared.datasets import registry
print(registry.dataset("usajobs_codes").source.lists_all, registry.first_runs()["usajobs_codes"])
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert result.stdout == "False {}\n"
