"""What a code list must satisfy before it may reach Postgres."""

import pandera.polars as pa

from shared.datasets.rules import has_rows, present, text

LONGEST = 200  # characters; codes are joined on

GATE = {
    "code_list": pa.DataFrameSchema({"list_name": present()}, checks=[has_rows("code")]),
    "code": pa.DataFrameSchema({"code": text("code", LONGEST, required=True)}),
}
