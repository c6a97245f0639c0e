"""GET /api/codelist/{name}: the lists that explain the codes in postings."""

from collections.abc import Mapping
from datetime import date
from typing import Final

import orjson

from infra.embedded.simulator import codes

Entry = dict[str, str]


def answer(name: str, day: date) -> bytes:
    """The response body. Raises KeyError for an unknown list."""
    entries = LISTS[name]
    return orjson.dumps({"CodeList": [{"ValidValue": entries, "id": name}], "DateGenerated": f"{day}T00:00:00.000Z"})


def _entry(code: str, value: str, **more: str) -> Entry:
    return {"Code": code, "Value": value, **more, "LastModified": "2020-01-15T00:00:00", "IsDisabled": "No"}


def _plain(values: Mapping[str, str]) -> list[Entry]:
    return [_entry(code, value) for code, value in values.items()]


def _agencies() -> list[Entry]:
    departments = [_entry(code, name, ParentCode="") for code, name in codes.DEPARTMENTS.items()]
    return departments + [_entry(agency.code, agency.name, ParentCode=agency.department) for agency in codes.AGENCIES]


def _series() -> list[Entry]:
    known = [_entry(one.code, one.name, JobFamily=f"{one.code[:2]}00") for one in codes.SERIES]
    return [*known, _entry("0334", "Computer Specialist", JobFamily="0300") | {"IsDisabled": "Yes"}]


LISTS: Final[dict[str, list[Entry]]] = {
    "agencysubelements": _agencies(),
    "occupationalseries": _series(),
    "positionscheduletypes": _plain(codes.SCHEDULES),
    "positionofferingtypes": _plain(codes.OFFERINGS),
    "hiringpaths": _plain(codes.HIRING_PATHS),
    "remunerationrateintervalcodes": _plain(codes.RATE_INTERVALS),
    "securityclearances": _plain(codes.CLEARANCES),
    "travelpercentages": _plain(codes.TRAVEL),
    "countries": _plain(codes.COUNTRIES),
}
