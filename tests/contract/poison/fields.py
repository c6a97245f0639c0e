"""Wrong types in every field of the model: made from the model's own names, so that a new field is tried as well."""

from collections.abc import Callable, Iterator

from shared.datasets import registry
from shared.datasets.contract.raw_model import fields
from tests.contract.poison.case import Case, posting, records

OBJECTS = {"UserArea", "Details", "WhoMayApply"}
FLAGS = {
    "Relocation", "BenefitsDisplayDefaultText", "WithinArea", "DrugTestRequired", "TeleworkEligible", "RemoteIndicator",
    "FinancialDisclosure", "BargainingUnitStatus",
}  # fmt: skip
DATES = {"PositionStartDate", "PositionEndDate", "PublicationStartDate", "ApplicationCloseDate"}
NUMBERS = {"CommuteDistance", "Longitude", "Latitude", "MinimumRange", "MaximumRange"}
TEXT_LISTS = {"ApplyURI", "HiringPath", "MCOTags", "MajorDuties", "KeyRequirements", "AdjudicationType"}
DESCRIPTOR = "MatchedObjectDescriptor"
DETAILS = f"{DESCRIPTOR}.UserArea.Details"
LISTS = (
    "PositionLocation",
    "JobCategory",
    "JobGrade",
    "PositionSchedule",
    "PositionOfferingType",
    "PositionRemuneration",
    "PositionFormattedDescription",
)
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
    return "list of objects" if name in LISTS else next((k for k, names in kinds.items() if name in names), "text")


def names(place: str) -> list[str]:
    """The fields of an object in a posting, as the API spells them."""
    paths = (paths[0] for paths, _ in fields(registry.dataset("usajobs_search").record_model))
    return [name for parent, _, name in (path.rpartition(".") for path in paths) if parent == place]


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
    *_cases("the descriptor", names(DESCRIPTOR), _in_descriptor),
    *_cases("the details", names(DETAILS), _in_details),
    *_cases("who may apply", names(f"{DETAILS}.WhoMayApply"), _in_applicants),
    *(case for of in LISTS for case in _cases(of, names(f"{DESCRIPTOR}.{of}[]"), _in_list(of))),
)
