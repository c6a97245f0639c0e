"""Wrong types in every field of the model: made from the model's own names, so that a new field is tried as well."""

from collections.abc import Callable, Iterable, Iterator

from pydantic import BaseModel

from shared.datasets.usajobs_search import raw
from tests.contract.poison.case import Case, posting, records

OBJECTS = {"UserArea", "Details", "WhoMayApply"}
FLAGS = {
    "Relocation", "BenefitsDisplayDefaultText", "WithinArea", "DrugTestRequired", "TeleworkEligible", "RemoteIndicator",
    "FinancialDisclosure", "BargainingUnitStatus",
}  # fmt: skip
DATES = {"PositionStartDate", "PositionEndDate", "PublicationStartDate", "ApplicationCloseDate"}
NUMBERS = {"CommuteDistance", "Longitude", "Latitude", "MinimumRange", "MaximumRange"}
TEXT_LISTS = {"ApplyURI", "HiringPath", "MCOTags", "MajorDuties", "KeyRequirements", "AdjudicationType"}
MODEL_LISTS: dict[str, type[BaseModel]] = {
    "PositionLocation": raw.Location,
    "JobCategory": raw.Coded,
    "JobGrade": raw.Grade,
    "PositionSchedule": raw.Coded,
    "PositionOfferingType": raw.Coded,
    "PositionRemuneration": raw.Remuneration,
    "PositionFormattedDescription": raw.FormattedDescription,
}
# {kind: (values of a wrong type, pattern of the rule that rejects them)}
WRONG: dict[str, tuple[tuple[object, ...], str]] = {
    "object": (("x", 5, [], [{}], True), "model_type"),
    "flag": (("perhaps", 7, [], {}, [True]), "bool_"),
    "date": (("soon", [], {}, True, ["2025-01-01"]), "datetime_"),
    "number": (("many", [], {}, [1]), "int_|float_|decimal_"),
    "list of texts": (("one", 5, {}, True, [[]], [{}], [True]), "list_type|string_type"),
    "list of objects": (("one", 5, {}, True, [[]], ["x"], [1], [None]), "list_type|model_type"),
    "text": (([], {}, ["x"], {"Name": "x"}, True), "string_type"),
}


def kind_of(name: str) -> str:
    """What the API's documentation says of a field; text unless it says otherwise."""
    kinds = {"object": OBJECTS, "flag": FLAGS, "date": DATES, "number": NUMBERS, "list of texts": TEXT_LISTS}
    return (
        "list of objects" if name in MODEL_LISTS else next((k for k, names in kinds.items() if name in names), "text")
    )


def names(model: type[BaseModel]) -> list[str]:
    """A model's fields as the API spells them."""
    return [next(iter(_spellings(field.validation_alias))) for field in model.model_fields.values()]


def _spellings(alias: object) -> Iterable[str]:
    return [alias] if isinstance(alias, str) else [str(choice) for choice in getattr(alias, "choices", ())]


def _in_descriptor(name: str, value: object) -> Callable[[int], object]:
    def make(number: int) -> object:
        made = posting(number)
        made["MatchedObjectDescriptor"][name] = value
        return made

    return make


def _in_details(name: str, value: object) -> Callable[[int], object]:
    return lambda number: posting(number, details={name: value})


def _cases(where: str, fields: list[str], place: Callable[[str, object], Callable[[int], object]]) -> Iterator[Case]:
    for kind, (values, rule) in WRONG.items():
        wrong = [place(name, value) for name in fields if kind_of(name) == kind for value in values]
        if wrong:
            yield records(f"other types for each {kind} of {where}", rule, *wrong)


def _in_list(of: str) -> Callable[[str, object], Callable[[int], object]]:
    return lambda name, value: _in_descriptor(of, [{}, {name: value}])


def _in_applicants(name: str, value: object) -> Callable[[int], object]:
    return _in_details("WhoMayApply", {name: value})


CASES = (
    *_cases("the descriptor", names(raw.Descriptor), _in_descriptor),
    *_cases("the details", names(raw.Details), _in_details),
    *_cases("who may apply", names(raw.Coded), _in_applicants),
    *(case for of, model in MODEL_LISTS.items() for case in _cases(of, names(model), _in_list(of))),
)
