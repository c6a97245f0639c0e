"""What a row must satisfy before it may reach Postgres."""

import pandera.polars as pa

from shared.datasets.rules import not_above, text, unique

LONGEST = 200  # characters; both are part of the key

GATE = {
    "reference_table": pa.DataFrameSchema(
        {"list": text("list", LONGEST, required=True), "code": text("code", LONGEST, required=True)},
        checks=[unique("list", "code"), not_above("valid_from", "valid_to")],
    ),
}
