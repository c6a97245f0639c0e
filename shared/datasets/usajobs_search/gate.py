"""What a posting must satisfy before it may reach Postgres."""

import pandera.polars as pa

from shared.datasets.rules import has_rows, http_address, known, not_above, not_negative, present, text, unique, within
from shared.datasets.usajobs_search.raw import RATE_INTERVALS

LONGEST_ID = 200  # characters; the column is indexed
LONGEST_TITLE = 500  # characters; the longest real title seen has fewer than 200

GATE = {
    "job": pa.DataFrameSchema(
        {
            "control_number": present(),
            "position_id": text("position_id", LONGEST_ID),
            "position_title": text("position_title", LONGEST_TITLE, required=True),
            "position_uri": http_address("position_uri"),
            "minimum_range": not_negative("minimum_range"),
            "maximum_range": not_negative("maximum_range"),
        },
        checks=[
            not_above("minimum_range", "maximum_range"),
            not_above("publication_start_date", "application_close_date"),
            has_rows("job_location"),
            unique("control_number"),
        ],
    ),
    "job_location": pa.DataFrameSchema(
        {"latitude": within("latitude", -90, 90), "longitude": within("longitude", -180, 180)}
    ),
    "job_remuneration": pa.DataFrameSchema(
        {
            "minimum_range": not_negative("minimum_range"),
            "maximum_range": not_negative("maximum_range"),
            "rate_interval_code": known("rate_interval_code", RATE_INTERVALS),
        },
        checks=[not_above("minimum_range", "maximum_range")],
    ),
}
