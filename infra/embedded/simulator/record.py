"""One posting as a record of HistoricJoa: no texts, other names, and other types than Search has."""

from datetime import date, timedelta
from typing import Any, Final, TypeVar

from infra.embedded.simulator import codes
from infra.embedded.simulator.places import GAZETTEER
from infra.embedded.simulator.posting import Posting

T = TypeVar("T")
Json = dict[str, Any]

_OUTCOMES: Final = ("Candidate selected", "Job closed", "Job canceled", "Applications under review")


def record(posting: Posting, day: date) -> Json:
    """What HistoricJoa says of the posting on `day`."""
    agency, number = posting.agency, posting.number
    top = agency.name == agency.department_name
    path = agency.name if top else f"{agency.department_name}\\{agency.name}"
    low, high = posting.pay_on(day)
    low_grade, high_grade = (grade.zfill(2) if grade.isdigit() else grade for grade in posting.grade_names)
    closing_type = number % 8 == 0  # most postings have null here
    return {
        "usajobsControlNumber": int(posting.control_number),
        "hiringAgencyCode": agency.code,
        "hiringAgencyName": agency.name,
        "hiringDepartmentCode": agency.department,
        "hiringDepartmentName": agency.department_name,
        "agencyLevel": 1 if top else 2,
        "agencyLevelSort": path,
        "appointmentType": codes.OFFERINGS[posting.offering],
        "workSchedule": codes.SCHEDULES[posting.schedule],
        "payScale": posting.pay_plan,
        "salaryType": codes.RATE_INTERVALS[posting.rate],
        "vendor": _one_of(("USASTAFFING", "USASTAFFING", "Monster - Hiring Management"), number),
        "travelRequirement": _one_of((codes.TRAVEL[posting.travel], codes.TRAVEL[posting.travel], None), number),
        "teleworkEligible": _flag(posting.telework),
        "serviceType": "Competitive" if closing_type else None,
        "securityClearanceRequired": _flag(posting.clearance != "0"),
        "securityClearance": codes.CLEARANCES[posting.clearance],
        "whoMayApply": _one_of(("United States Citizens", "Public", "Agency Employees Only", None), number),
        "announcementClosingTypeCode": "01" if closing_type else None,
        "announcementClosingTypeDescription": "Closing Date" if closing_type else None,
        "positionOpenDate": posting.life.opens.isoformat(),
        "positionCloseDate": posting.deadline_on(day).isoformat(),
        "positionExpireDate": (posting.life.closes + timedelta(days=600)).isoformat() if number % 20 else None,
        "announcementNumber": posting.announcement_number,
        "hiringSubelementName": _one_of((None, None, None, None, "Field Operations East"), number),
        "positionTitle": posting.title_on(day),
        "minimumGrade": low_grade,
        "maximumGrade": high_grade,
        "promotionPotential": _one_of((high_grade, None), number),
        "minimumSalary": float(low),
        "maximumSalary": float(high),
        "supervisoryStatus": _flag(posting.title.startswith("Supervisory")),
        "drugTestRequired": _flag(posting.drug_test),
        "relocationExpensesReimbursed": _flag(posting.relocation),
        "totalOpenings": _one_of(("1", "2", "Many", "Few", "FEW", "few", None), number),
        "positionOpeningStatus": _status(posting, day),
        "disableApplyOnline": _flag(number % 17 == 0),
        "hiringPaths": [{"hiringPath": codes.HIRING_PATHS[path]} for path in posting.hiring_paths],
        "jobCategories": [{"series": series.code} for series in posting.series],
        "positionLocations": [_location(index) for index in posting.places],
    }


def _status(posting: Posting, day: date) -> str:
    if day <= posting.life.closes:
        return "Accepting applications"
    return _OUTCOMES[posting.number % len(_OUTCOMES)]


def _location(index: int) -> Json:
    place = GAZETTEER[index]
    return {
        "positionLocationCity": place.city,
        "positionLocationState": place.state or None,
        "positionLocationCountry": place.country,
    }


def _flag(value: bool) -> str:  # noqa: FBT001 - it is the value that is written
    return "Y" if value else "N"


def _one_of(choices: tuple[T, ...], number: int) -> T:
    return choices[number % len(choices)]
