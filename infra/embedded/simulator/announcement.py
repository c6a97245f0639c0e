"""One posting in full, as an item of Search results: every field of the real API, with its types and its oddities."""

from datetime import date
from random import Random
from typing import Any, Final

import orjson

from infra.embedded.simulator.codes import CLEARANCES, RATE_INTERVALS
from infra.embedded.simulator.places import GAZETTEER
from infra.embedded.simulator.posting import Posting, pick
from infra.embedded.simulator.prose import text

Json = dict[str, Any]

_SITE: Final = "https://www.usajobs.gov:443/job"
_OFFICES: Final = ("Office of the Director", "Great Plains Region", "Field Operations East", "Field Operations West",
                   "Center for Human Capital", "Mission Support Division", "Installations and Housing")  # fmt: skip


def item(posting: Posting, day: date, random: Random) -> Json:
    """What Search says of the posting on `day`. `random` is always the same for a posting, so only revisions differ."""
    return {
        "MatchedObjectId": posting.control_number,
        "MatchedObjectDescriptor": _descriptor(posting, day, random),
        "RelevanceRank": 0,
    }


def encoded(posting: Posting, day: date, random: Random) -> bytes:
    """The same as JSON."""
    return orjson.dumps(item(posting, day, random))


def summary(random: Random) -> str:
    """The job summary, the first thing drawn, so that keyword search needs no whole announcement."""
    return text(random, pick(random, (1, 3, 4)))


def _descriptor(posting: Posting, day: date, random: Random) -> Json:
    job_summary = summary(random)
    office = pick(random, (*_OFFICES, None, None, None))
    opened, closing = f"{posting.life.opens}T00:00:00.0000", f"{posting.deadline_on(day)}T23:59:59.9970"
    return {
        "PositionID": posting.announcement_number,
        "PositionTitle": posting.title_on(day),
        "PositionURI": f"{_SITE}/{posting.control_number}",
        "ApplyURI": [f"{_SITE}/{posting.control_number}?PostingChannelID="],
        "PositionLocationDisplay": _location_display(posting),
        "PositionLocation": _locations(posting),
        "OrganizationName": posting.agency.name,
        "DepartmentName": posting.agency.department_name,
        **({"SubAgency": office} if office else {}),
        "JobCategory": [{"Name": series.category, "Code": series.code} for series in posting.series],
        "JobGrade": [] if posting.number % 50 == 7 else [{"Code": posting.pay_plan}],  # noqa: PLR2004
        "PositionSchedule": [{"Name": "", "Code": posting.schedule}],
        "PositionOfferingType": [{"Name": pick(random, ("", "", "", "One Year")), "Code": posting.offering}],
        "QualificationSummary": text(random, pick(random, (44, 60, 76))),
        "PositionRemuneration": _remuneration(posting, day),
        "PositionStartDate": opened,
        "PositionEndDate": closing,
        "PublicationStartDate": opened,
        "ApplicationCloseDate": closing,
        "PositionFormattedDescription": [
            {"Label": "Dynamic Teaser", "LabelDescription": "Hit highlighting for keyword searches."}
        ],
        "UserArea": {
            "Details": {"JobSummary": job_summary, **_details(posting, random, office)},
            "IsRadialSearch": False,
        },
    }


def _details(posting: Posting, random: Random, office: str | None) -> Json:
    low, high = posting.grade_names
    site = f"https://apply.example.gov/{posting.agency.code.lower()}"
    return {
        "WhoMayApply": {"Name": "", "Code": ""},
        "LowGrade": low,
        "HighGrade": high,
        "PromotionPotential": pick(random, (high, high, "NA", "None")),
        **({"SubAgencyName": office} if office else {}),
        "OrganizationCodes": posting.agency.path,
        "Relocation": str(posting.relocation),
        "HiringPath": list(posting.hiring_paths),
        "MCOTags": pick(random, ([], [], ["07"], ["NatSec", "07"], ["TechToGov", "10"])),
        "AgencyMarketingStatement": text(random, 10),
        "TravelCode": posting.travel,
        "ApplyOnlineUrl": f"{site}/apply",
        "DetailStatusUrl": f"{site}/apply?status=1",
        **_texts(random),
        "Benefits": "",
        "BenefitsUrl": f"{site}/benefits",
        "BenefitsDisplayDefaultText": True,
        "KeyRequirements": [],
        "WithinArea": "False",
        "CommuteDistance": "0",
        "ServiceType": pick(random, ("01", "01", "02")),
        "AnnouncementClosingType": "01",
        "SecurityClearance": CLEARANCES[posting.clearance],
        "DrugTestRequired": str(posting.drug_test),
        "AdjudicationType": pick(random, ([], [], ["Suitability/Fitness"], ["Credentialing", "National security"])),
        "TeleworkEligible": posting.telework,
        "RemoteIndicator": pick(random, (True, *(False,) * 9)),
        **_optional(posting, random),
    }


def _texts(random: Random) -> Json:
    return {
        "MajorDuties": [text(random, 2) for _ in range(pick(random, range(1, 11)))],
        "Education": text(random, pick(random, (8, 14, 28))),
        "Requirements": pick(random, ("", "U.S. citizenship is required.")),
        "Evaluations": text(random, pick(random, (4, 15, 24))),
        "HowToApply": text(random, pick(random, (18, 22, 30))),
        "WhatToExpectNext": text(random, pick(random, (5, 11, 18))),
        "RequiredDocuments": text(random, pick(random, (10, 28, 52))),
        "OtherInformation": text(random, pick(random, (22, 24, 26))),
    }


def _optional(posting: Posting, random: Random) -> Json:
    """Fields that only some postings have; the API misspells one of them most of the time."""
    sensitivity = pick(
        random, ("Non-sensitive (NS)/Low Risk", "Moderate Risk (MR)", "Critical-Sensitive (CS)/High Risk")
    )
    contact = f"{posting.agency.code.lower()}.hr@example.gov"
    fields: Json = {
        "TotalOpenings": pick(random, ("1", "2", "Few", "FEW", "few", "Many")),
        "AgencyContactEmail": contact,
        "AgencyContactPhone": f"1 (202) 555-{posting.number % 10_000:04d}",
        "AgencyContactWebsite": "https://hr.example.gov/contact",
        "PreviewQuestionnaireurl": f"https://apply.example.gov/preview/{posting.number}",
        "PositionSensitivitiy": sensitivity,
        "PositionSensitivity": sensitivity,
        "FinancialDisclosure": pick(random, (True, False, False)),
        "BargainingUnitStatus": pick(random, (True, False, False)),
        "BargainingUnitStatusAdditionalText": text(random, 1),
    }
    chances = (0.96, 0.76, 0.56, 0.24, 0.56, 0.24, 0.06, 0.44, 0.48, 0.04)
    return {name: fields[name] for name, chance in zip(fields, chances, strict=True) if random.random() < chance}


def _location_display(posting: Posting) -> str:
    return "Multiple Locations" if len(posting.places) > 1 else GAZETTEER[posting.places[0]].name


def _locations(posting: Posting) -> list[Json]:
    as_text = posting.number % 60 == 3  # noqa: PLR2004 - some postings have their coordinates as strings
    return [_location(index, as_text=as_text) for index in posting.places]


def _location(index: int, *, as_text: bool) -> Json:
    place = GAZETTEER[index]
    return {
        "LocationName": place.name,
        "CountryCode": place.country,
        **({"CountrySubDivisionCode": place.state} if place.state else {}),
        "CityName": place.name,
        "Longitude": str(place.longitude) if as_text else place.longitude,
        "Latitude": str(place.latitude) if as_text else place.latitude,
    }


def _remuneration(posting: Posting, day: date) -> list[Json]:
    low, high = posting.pay_on(day)
    decimal = ".0" if posting.number % 5 == 0 and not posting.hourly else ""  # one in five writes 120000.0 for 120000
    paid = [_range(f"{low}{decimal}", f"{high}{decimal}", posting.rate)]
    if posting.number % 30 == 11:  # noqa: PLR2004 - paid otherwise in another duty station
        paid.append(_range(f"{low * 2}", f"{high * 2}", posting.rate))
    if posting.number % 200 == 19:  # noqa: PLR2004
        paid.append(_range("0", "0", "WC"))
    return paid


def _range(low: str, high: str, rate: str) -> Json:
    return {
        "MinimumRange": low,
        "MaximumRange": high,
        "RateIntervalCode": rate,
        "Description": RATE_INTERVALS[rate],
    }
