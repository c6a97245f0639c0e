"""What a posting must satisfy before it may reach Postgres."""

import pandera.polars as pa

from shared.datasets.rules import has_rows, not_above, not_negative, present, text, unique

LONGEST_TITLE = 500  # characters; the longest real title seen has fewer than 200

GATE = {
    "historic_joa": pa.DataFrameSchema(
        {
            "control_number": present(),
            "position_title": text("position_title", LONGEST_TITLE, required=True),
            "minimum_salary": not_negative("minimum_salary"),
            "maximum_salary": not_negative("maximum_salary"),
        },
        checks=[
            not_above("minimum_salary", "maximum_salary"),
            not_above("position_open_date", "position_close_date"),
            has_rows("historic_joa_location"),
            unique("control_number"),
        ],
    )
}
