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

    failed_share: float = 0.5  # a batch with a larger share of failed records is refused ...
    smallest: int = 20  # ... unless it has fewer records than this; a run of fewer is not compared with others
    null_share_rise: float = 0.3  # warn where so much larger a share of records than before lacks a field
    count_fall: float = 0.5  # warn where a run covers less than this share of what runs like it did before


def _encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        message = f"{name!r} is no encoding that Python knows"
        raise ValueError(message) from error


class CsvOptions(OptionModel):
    """How CSV files are written, where their content does not say it."""

    delimiter: str | None = Field(default=None, min_length=1, max_length=1)  # else one of , ; tab |
    encoding: Annotated[str, AfterValidator(_encoding)] | None = None  # else UTF-8, or UTF-16 and UTF-32 by content
    quote: Annotated[str, Field(pattern=r"^(.|none)$")] = '"'  # round values; none: every character is text
    skip: int = Field(default=0, ge=0)  # lines above the header, whatever they are
    comment: str | None = Field(default=None, min_length=1)  # begins lines that are no records
    nulls: frozenset[str] = frozenset()  # texts that stand for no value
    decimal: Literal[".", ","] = "."  # in columns of numbers
    thousands: Literal[".", ",", " ", "'"] | None = None

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

    sheet: Annotated[int, Field(ge=1)] | str | None = None  # its name, or its number; else the only one with values


class ContractOptions(OptionModel):
    """Of a contract."""

    records: Path = ()  # where a JSON document has its list of records
    count: Path = ()  # ... and the number of records that it has
    total: Path = ()  # ... and that of all pages of its query
    names: Literal["same", "camelCase", "PascalCase"] = "same"  # how the source spells the names of properties
    ignored: frozenset[str] = frozenset()  # paths of fields that are known and not kept
    volatile: frozenset[str] = frozenset()  # ... and of those whose change is no change of the record
    batch_limits: BatchLimits = BatchLimits()
    disposition: Literal["merge", "append", "snapshot", "history"] = "merge"  # what a record is to those before it
    evolution: Literal["report", "rescue", "evolve"] = "report"  # what becomes of fields that are not declared
    source: SourceOptions | None = None  # the API that it is extracted from
    csv: CsvOptions = CsvOptions()
    excel: ExcelOptions = ExcelOptions()
    include: tuple[str, ...] = ()  # patterns of uploads that are loaded; by default all
    exclude: tuple[str, ...] = ()  # ... and of those that are not
    after_loading: Literal["keep", "tag", "move", "delete"] = "keep"  # what becomes of an upload that is loaded

    @model_validator(mode="after")
    def _records_may_come_again(self) -> Self:
        if self.source and self.source.incremental and self.disposition in {"append", "snapshot"}:
            message = f"incremental: disposition {self.disposition} does not suit runs that bring some records again"
            raise ValueError(message)
        return self


class TableOptions(OptionModel):
    """Of a schema, which is a table."""

    path: str = ""  # where its fields lie in a record; a list of objects ends with `[]`
    aliases: tuple[str, ...] = ()  # other names of the list; the first with a value counts
    required: bool = False  # whether a record without this list is rejected


class ColumnOptions(OptionModel):
    """Of a property, which is a column."""

    path: Path = ()  # where its field lies: in the record, or in an item of the schema's list
    aliases: tuple[str, ...] = ()  # other names of the field; the first with a value counts
    indexed: bool = False  # whether the column has an index
    from_key: bool = False  # whether a part of the upload's key, `name=value`, gives the value
    computed: bool = False  # whether the code beside the contract gives the value
    readable: bool | None = None  # whether readers see it, whatever its classification is


def read(properties: Iterable[CustomProperty] | None) -> Any:
    """The value of the custom property `smelt`; an empty one where there is none."""
    return next((item.value for item in properties or () if item.property == PROPERTY), {})
