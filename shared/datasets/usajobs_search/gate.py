"""What a posting must satisfy before it may reach Postgres."""

import pandera.polars as pa
import polars as pl
from pandera.polars import PolarsData

LONGEST_ID = 200  # characters; the column is indexed
LONGEST_TITLE = 500  # characters; the longest real title seen has fewer than 200


def _ordered(low: str, high: str) -> pa.Check:
    def in_order(data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(low) <= pl.col(high))

    return pa.Check(in_order, name=f"{low}_not_above_{high}", error=f"{low} is above {high}")


def _not_negative(column: str) -> pa.Column:
    return pa.Column(checks=pa.Check.ge(0, name=f"{column}_not_negative", error=f"{column} is negative"), nullable=True)


_ID = pa.Check.str_length(None, LONGEST_ID, name="position_id_length", error=f"more than {LONGEST_ID} characters")
_URI = pa.Check.str_matches(r"^https?://", name="position_uri_is_http", error="not an http(s) address")
_TITLE = pa.Check.str_length(1, LONGEST_TITLE, name="position_title_length", error=f"1 to {LONGEST_TITLE} characters")

GATE = {
    "job": pa.DataFrameSchema(
        {
            "position_id": pa.Column(str, _ID, nullable=True),
            "position_title": pa.Column(str, _TITLE, nullable=False),
            "position_uri": pa.Column(str, _URI, nullable=True),
            "minimum_range": _not_negative("minimum_range"),
            "maximum_range": _not_negative("maximum_range"),
        },
        checks=[
            _ordered("minimum_range", "maximum_range"),
            _ordered("publication_start_date", "application_close_date"),
        ],
    ),
    "job_location": pa.DataFrameSchema(
        {
            "latitude": pa.Column(
                float, pa.Check.in_range(-90, 90, name="latitude_range", error="outside -90..90"), nullable=True
            ),
            "longitude": pa.Column(
                float, pa.Check.in_range(-180, 180, name="longitude_range", error="outside -180..180"), nullable=True
            ),
        }
    ),
}
