"""Places from Historic JOA, which has no coordinates, get those that Search gives for the same city and state."""

from alembic import op

revision = "gold_0005"
down_revision = "gold_0004"
branch_labels = None
depends_on = None

# Those that Search never named stay without, and must not be read at every refresh for it.
INDEX = "create index posting_location_unlocated on gold.posting_location (name) where latitude is null"
LOCATE = """
create function gold.locate() returns bigint language plpgsql as $body$
declare located bigint;
begin
    update gold.posting_location as location set latitude = place.latitude, longitude = place.longitude
    from gold.place where location.name = place.name and location.latitude is null;
    get diagnostics located = row_count;
    return located;
end
$body$
"""
COMMENTS = {
    "latitude": "degrees north; from Historic JOA, which has none, as Search has it for the place; null: it has not",
    "longitude": "degrees east; likewise",
}


def upgrade() -> None:
    op.execute(INDEX)
    op.execute(LOCATE)
    for column, comment in COMMENTS.items():
        op.execute(f"comment on column gold.posting_location.{column} is $${comment}$$")
