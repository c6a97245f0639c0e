"""Ways to make a posting that is wrong or strange in one respect. Each takes the control number last."""

from collections.abc import Callable

from tests.contract.poison.case import posting, verbatim

Make = Callable[[int], object]


def just(value: object) -> Make:
    """The value itself."""
    return lambda _: value


def identified(value: object) -> Make:
    """A posting with this id."""
    return lambda _: posting(value)


def with_field(name: str, value: object) -> Make:
    """A posting whose descriptor has this field."""
    return lambda number: posting(number, **{name: value})


def with_detail(name: str, value: object) -> Make:
    """A posting whose details have this field."""
    return lambda number: posting(number, details={name: value})


def titled(value: object) -> Make:
    """A posting with this title."""
    return lambda number: posting(number, value)


def paid(low: object, high: object = None) -> Make:
    """A posting with this pay."""
    return with_field("PositionRemuneration", [{"MinimumRange": low, "MaximumRange": high}])


def placed(latitude: object, longitude: object = None) -> Make:
    """A posting at this place."""
    return with_field("PositionLocation", [{"Latitude": latitude, "Longitude": longitude}])


def with_raw(name: str, value: object) -> Make:
    """A posting with this field beside its descriptor."""
    return lambda number: {**posting(number), name: value}


def without(*names: str) -> Make:
    """A posting without these fields."""
    return lambda number: {name: value for name, value in posting(number).items() if name not in names}


def nested(levels: int) -> object:
    """Lists in lists, so many levels deep."""
    return verbatim("[" * levels + "]" * levels)
