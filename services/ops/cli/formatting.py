"""Formatting of numbers and texts for the command line. None is shown as unknown."""

UNKNOWN = "[yellow]unknown[/yellow]"
SIZES = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))


def count(number: int | None) -> str:
    """A count."""
    return UNKNOWN if number is None else f"{number:,}"


def alarming(number: int | None) -> str:
    """A count that should be 0, red if it is not."""
    return f"[red]{number:,}[/red]" if number else count(number)


def duration(seconds: float | None) -> str:
    """A duration in its two largest units: 4 s, 3 min 5 s, 2 h 10 min, 3 d 4 h."""
    if seconds is None:
        return UNKNOWN
    for size, unit, smaller_size, smaller in SIZES:
        if seconds >= size:
            rest = seconds % size // smaller_size
            return f"{seconds // size:.0f} {unit}" + (f" {rest:.0f} {smaller}" if rest else "")
    return f"{max(0.0, seconds):.0f} s"


def rate(per_second: float | None) -> str:
    """A rate per second."""
    if per_second is None:
        return UNKNOWN
    return f"{per_second:,.0f}" if per_second >= 10 or not per_second else f"{per_second:.1f}"  # noqa: PLR2004


def counted(number: int, what: str) -> str:
    """`1 reason`, `12 reasons`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def tail(text: str, width: int) -> str:
    """The end of a long text, for names that differ there."""
    return text if len(text) <= width else "…" + text[-(width - 1) :]


def head(text: str, width: int) -> str:
    """The beginning of a long text."""
    return text if len(text) <= width else text[: width - 1] + "…"
