"""What `raw` offers where a file holds nothing but flat records: a dataset says KEY and imports the rest from here."""

from shared.datasets.contract import BatchLimits

RECORDS: tuple[str, ...] = ()
COUNT: tuple[str, ...] = ()
TOTAL: tuple[str, ...] = ()
KNOWN_VALUES: dict[str, frozenset[str]] = {}
IGNORED: frozenset[str] = frozenset()
VOLATILE: frozenset[str] = frozenset()
LIMITS = BatchLimits()
