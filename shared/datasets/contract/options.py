"""What the standard has no word for: the value of the custom property `smelt` of a contract, a schema or a property."""

import codecs
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from open_data_contract_standard.model import CustomProperty
from pydantic import AfterValidator, Field, model_validator

from shared.datasets.contract.option_model import OptionModel, Path
from shared.datasets.contract.source_options import SourceOptions

PROPERTY = "smelt"


class BatchLimits(OptionModel):
    """Thresholds for rejecting a batch, or for warnings about a batch or a run as a whole."""

    failed_share: float = 0.5
    """A batch with a larger share of failed records is refused."""
    smallest: int = 20
    """Batches with fewer records are never refused, and runs with fewer records are not compared with others."""
    null_share_rise: float = 0.3
    """Warn if the share of records without a field is larger by this than before."""
    count_fall: float = 0.5
    """Warn if a run has less than this share of the records of the runs before it."""


def _encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        message = f"{name!r} is no encoding that Python knows"
        raise ValueError(message) from error


class CsvOptions(OptionModel):
    """How CSV files are written, where their content does not say it."""

    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """The delimiter, if it is none of comma, semicolon, tab and `|`."""
    encoding: Annotated[str, AfterValidator(_encoding)] | None = None
    """The encoding, if it is neither UTF-8 nor, by the content, UTF-16 or UTF-32."""
    quote: Annotated[str, Field(pattern=r"^(.|none)$")] = '"'
    """The character round values; with `none` every character is text."""
    skip: int = Field(default=0, ge=0)
    """The number of lines above the header."""
    comment: str | None = Field(default=None, min_length=1)
    """What lines that are no records begin with."""
    nulls: frozenset[str] = frozenset()
    """Texts that stand for no value."""
    decimal: Literal[".", ","] = "."
    """The decimal mark in columns of numbers."""
    thousands: Literal[".", ",", " ", "'"] | None = None
    """The thousands mark in columns of numbers."""

    @model_validator(mode="after")
    def _marks_differ(self) -> Self:
        if self.thousands == self.decimal:
            message = f"decimal and thousands are both {self.decimal!r}"
            raise ValueError(message)
        if self.quote == self.delimiter:
            message = f"delimiter and quote are both {self.quote!r}"
            raise ValueError(message)
        return self

    @property
    def quote_mark(self) -> str | None:
        """The character round values; None if there is none."""
        return None if self.quote == "none" else self.quote


class ExcelOptions(OptionModel):
    """Where the records of a workbook are."""

    sheet: Annotated[int, Field(ge=1)] | str | None = None
    """The sheet's name, or its number from 1; without it the only sheet with values."""


class ContractOptions(OptionModel):
    """Options of a contract."""

    records: Path = ()
    """Where a JSON document has its list of records."""
    count: Path = ()
    """Where a JSON document has the number of its records."""
    total: Path = ()
    """Where a JSON document has the number of records of all pages of its query."""
    names: Literal["same", "camelCase", "PascalCase"] = "same"
    """How the source spells the names of properties."""
    ignored: frozenset[str] = frozenset()
    """Paths of fields that are known and not kept."""
    volatile: frozenset[str] = frozenset()
    """Paths of fields whose change is no change of the record."""
    batch_limits: BatchLimits = BatchLimits()
    """When a batch or a run as a whole is refused or warned of."""
    disposition: Literal["merge", "append", "snapshot", "history"] = "merge"
    """What a record is to those before it."""
    evolution: Literal["report", "rescue", "evolve"] = "report"
    """What becomes of fields that are not declared."""
    source: SourceOptions | None = None
    """The API that it is extracted from."""
    csv: CsvOptions = CsvOptions()
    """How CSV files are written."""
    excel: ExcelOptions = ExcelOptions()
    """Where a workbook has the records."""
    include: tuple[str, ...] = ()
    """Patterns of uploads that are loaded."""
    exclude: tuple[str, ...] = ()
    """Patterns of uploads that are not loaded."""
    after_loading: Literal["keep", "tag", "move", "delete"] = "keep"
    """What becomes of an upload that is loaded."""

    @model_validator(mode="after")
    def _records_may_come_again(self) -> Self:
        if self.source and self.source.incremental and self.disposition in {"append", "snapshot"}:
            message = f"incremental: disposition {self.disposition} does not suit runs that bring some records again"
            raise ValueError(message)
        return self


class TableOptions(OptionModel):
    """Options of a schema, which is a table."""

    path: str = ""
    """Where its fields lie in a record; a list of objects ends with `[]`."""
    aliases: tuple[str, ...] = ()
    """Other names of the list; the first with a value counts."""
    required: bool = False
    """Whether a record without this list is rejected."""


class ColumnOptions(OptionModel):
    """Options of a property, which is a column."""

    path: Path = ()
    """Where its field lies: in the record, or in an item of the schema's list."""
    aliases: tuple[str, ...] = ()
    """Other names of the field; the first with a value counts."""
    indexed: bool = False
    """Whether the column has an index."""
    from_key: bool = False
    """Whether a part of the upload's key, `name=value`, gives the value."""
    computed: bool = False
    """Whether the code beside the contract gives the value."""
    readable: bool | None = None
    """Whether readers see it, whatever its classification is."""


def read(properties: Iterable[CustomProperty] | None) -> Any:
    """The value of the custom property `smelt`; an empty one where there is none."""
    return next((item.value for item in properties or () if item.property == PROPERTY), {})
