"""Files that somebody drops with any S3 client: good ones land, bad ones say why, neighbours never notice."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.e2e.conftest import Deployment
from tests.support.compression import zstd

pytestmark = pytest.mark.e2e


def posting(number: int, **descriptor: Any) -> dict[str, Any]:
    return {
        "MatchedObjectId": str(number),
        "MatchedObjectDescriptor": {
            "PositionID": f"TEST-{number}",
            "PositionTitle": "Smelter",
            "PositionURI": f"https://www.usajobs.gov/job/{number}",
            "PositionLocation": [{"LocationName": "Chicago, Illinois", "Longitude": -87.6, "Latitude": 41.9}],
            **descriptor,
        },
    }


def response(*postings: object) -> dict[str, Any]:
    return {"SearchResult": {"SearchResultCount": len(postings), "SearchResultItems": list(postings)}}


def test_the_real_page_lands_completely(deployment: Deployment, real_search_page: bytes) -> None:
    answer = json.loads(gzip.decompress(real_search_page))["response"]["payload"]
    postings = answer["SearchResult"]["SearchResultItems"]
    numbers = [int(item["MatchedObjectId"]) for item in postings]
    locations = sum(len(item["MatchedObjectDescriptor"]["PositionLocation"]) for item in postings)

    loaded = deployment.ledger(deployment.upload("real page.json.gz", gzip.compress(json.dumps(answer).encode())))

    assert (loaded["read"], loaded["quarantined"]) == (25, 0)  # another test of this stack may have loaded it before
    assert len(deployment.rows("select 1 from silver.job where control_number = any(%s)", numbers)) == 25
    stored = deployment.rows("select count(*) as n from silver.job_location where control_number = any(%s)", numbers)
    assert stored[0]["n"] == locations == 16_200


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("plain.json", lambda body: body),
        ("gzip.json.gz", gzip.compress),
        ("zstd.json.zst", zstd.compress),
        ("wrong name for gzip.txt", gzip.compress),
        ("ключ with + and %2B.json", lambda body: body),
    ],
)
def test_a_bare_response_lands_however_it_is_packed(deployment: Deployment, name: str, pack: Any) -> None:
    number = 900_000_000 + sum(name.encode())
    key = deployment.upload(name, pack(json.dumps(response(posting(number))).encode()))
    assert deployment.ledger(key)["inserted"] == 1
    assert deployment.rows("select position_title from silver.job where control_number = %s", number) == [
        {"position_title": "Smelter"}
    ]


@pytest.mark.parametrize(
    ("name", "body", "dataset", "reason"),
    [
        ("not json.txt", b"Dear Sir or Madam,", "usajobs_search", "neither JSON nor Parquet"),
        ("empty.json", b"", "usajobs_search", "empty"),
        (
            "cut off.json.gz",
            gzip.compress(b'{"SearchResult": {}}', mtime=0)[:-9],
            "usajobs_search",
            "damaged compression",
        ),
        ("other.json", b'{"hello": "world"}', "usajobs_search", "a list of records at SearchResult.SearchResultItems"),
        (
            "envelope.json",
            b'{"response": {"headers": {"Date": "Mon, 05 Jan 2026 00:00:00 GMT"}, "payload": [{}]}}',
            "usajobs_search",
            "a list of records at SearchResult.SearchResultItems",
        ),
        ("half.json", b'{"SearchResult": {"SearchResultItems": [', "usajobs_search", "not a JSON document"),
        ("page.json", b"{}", "no_such_dataset", "no dataset 'no_such_dataset'; known: "),
    ],
)
def test_a_bad_file_becomes_a_dead_letter_that_says_why(
    deployment: Deployment, name: str, body: bytes, dataset: str, reason: str
) -> None:
    deployment.upload(name, body, dataset)
    letter = deployment.dead_letter("uploads", name.replace(" ", "+"))
    assert reason in letter["error_message"]
    assert (letter["service"], letter["source_queue"], letter["attempts"]) == ("uploads", "smelt-uploads", "1")

    good = deployment.upload(f"good after {name}.json", json.dumps(response(posting(920_000_001))).encode())
    assert deployment.ledger(good)["read"] == 1


def test_a_file_of_many_lines_lands_batch_by_batch(deployment: Deployment) -> None:
    lines = [json.dumps(posting(950_000_000 + n)) for n in range(12_000)]
    lines[11_000] = "{this is no posting"
    key = deployment.upload("many.jsonl.gz", gzip.compress("\n".join(lines).encode()))

    def loaded() -> list[dict[str, Any]]:
        rows = deployment.rows("select * from ops.loaded_object where key = %s order by batch", key)
        return rows if any(row["is_last_batch"] for row in rows) and len(rows) > 1 else []

    first, second = deployment.eventually(loaded)
    assert (first["read"], first["inserted"], first["is_last_batch"]) == (10_000, 10_000, False)
    assert (second["read"], second["inserted"], second["quarantined"], second["is_last_batch"]) == (
        2_000,
        1_999,
        1,
        True,
    )
    rejected = deployment.eventually(lambda: deployment.rows("select * from ops.quarantine where key = %s", key))
    assert [(row["record_index"], row["rule"]) for row in rejected] == [(11_000, "json")]
    numbers = "select count(*) as n from silver.job where control_number between 950000000 and 950011999"
    assert deployment.rows(numbers) == [{"n": 11_999}]


def test_a_csv_and_a_parquet_file_land(deployment: Deployment) -> None:
    table = 'usajobsControlNumber,positionTitle\n960000001,Smelter\n960000002,"Smelter, chief"\n'
    buffer = io.BytesIO()
    pl.read_csv(io.StringIO(table.replace("96000", "97000"))).write_parquet(buffer)
    for name, body in (("titles.csv", table.encode()), ("titles.parquet", buffer.getvalue())):
        loaded = deployment.ledger(deployment.upload(name, body, "usajobs_historic"))
        assert (loaded["read"], loaded["inserted"]) == (2, 2)
    rows = deployment.rows(
        "select control_number, position_title from silver.historic_joa where control_number between 960000000"
        " and 970000009 order by 1"
    )
    assert [tuple(row.values()) for row in rows] == [
        (960_000_001, "Smelter"),
        (960_000_002, "Smelter, chief"),
        (970_000_001, "Smelter"),
        (970_000_002, "Smelter, chief"),
    ]


def test_bad_postings_are_quarantined_and_their_neighbours_land(deployment: Deployment) -> None:
    page = response(
        posting(930_000_001),
        {"MatchedObjectId": "not a number", "MatchedObjectDescriptor": {}},
        posting(930_000_002, PositionTitle=" "),
        posting(930_000_003, PositionTitle="a\x00b"),
        "not even an object",
        posting(930_000_004),
    )
    key = deployment.upload("mixed.json", json.dumps(page).encode())

    loaded = deployment.ledger(key)
    rejected = deployment.eventually(
        lambda: deployment.rows("select * from ops.quarantine where key = %s order by record_index", key)
    )

    assert (loaded["read"], loaded["inserted"], loaded["quarantined"]) == (6, 2, 4)
    assert [(row["record_index"], row["rule"]) for row in rejected] == [
        (1, "int_parsing"),
        (2, "position_title_present"),
        (3, "string_with_nul"),
        (4, "model_type"),
    ]
    assert json.loads(rejected[2]["raw"]) == page["SearchResult"]["SearchResultItems"][3]


def waited(deployment: Deployment, path: Path, dataset: str, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of `smelt upload --wait`."""
    result = deployment.smelt("upload", str(path), dataset, "--wait", "--json", *options)
    assert result.stdout, result.stderr
    return result.returncode, json.loads(result.stdout)


def test_who_waits_for_a_good_file_sees_what_changed(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "waited good.json"
    path.write_text(json.dumps(response(posting(980_000_001), posting(980_000_002))))
    code, outcome = waited(deployment, path, "usajobs_search")
    assert (code, outcome["state"]) == (0, "loaded")
    assert outcome["counts"] == {"read": 2, "inserted": 2, "updated": 0, "unchanged": 0, "stale": 0, "quarantined": 0}
    path.write_text(json.dumps(response(posting(980_000_001), posting(980_000_002, PositionTitle="Founder"))))
    code, outcome = waited(deployment, path, "usajobs_search")
    assert code == 0
    assert outcome["counts"] == {"read": 2, "inserted": 0, "updated": 1, "unchanged": 1, "stale": 0, "quarantined": 0}


def test_who_waits_for_a_file_with_bad_records_sees_the_rules(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "waited bad rows.json"
    bad = [posting(980_000_020 + n, PositionTitle=" ") for n in range(2)]
    path.write_text(json.dumps(response(posting(980_000_011), *bad, "no object")))
    code, outcome = waited(deployment, path, "usajobs_search")
    assert (code, outcome["state"], outcome["counts"]["inserted"]) == (1, "loaded", 1)
    rejected = [(group["rule"], group["records"]) for group in outcome["rejected"]]
    assert rejected == [("position_title_present", 2), ("model_type", 1)]

    told = deployment.smelt("upload", str(path), "usajobs_search", "--wait").stdout
    assert "loaded, except 3 rejected records" in told
    assert "read 4 = inserted 0 + updated 0 + unchanged 1 + stale 0 + quarantined 3" in told
    assert "2 position_title_present" in told
    assert "smelt quarantine list --dataset usajobs_search" in told


def test_who_waits_for_a_file_that_is_refused_sees_the_reason(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "waited refused.txt"
    path.write_text("Dear Sir or Madam,")
    code, outcome = waited(deployment, path, "usajobs_search")
    assert (code, outcome["state"], outcome["counts"]["read"]) == (1, "dead letter", 0)
    (letter,) = outcome["dead_letters"]
    assert "neither JSON nor Parquet" in letter["error"]
    assert deployment.smelt("dlq", "show", letter["id"]).returncode == 0


def test_who_waits_for_a_file_that_is_ignored_is_told(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "_SUCCESS"
    path.touch()
    code, outcome = waited(deployment, path, "usajobs_search")
    assert (code, outcome["state"], outcome["ignored_by"]) == (1, "ignored", "_SUCCESS")
