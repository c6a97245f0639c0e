"""A day is a day in UTC: `is_open` and `days_open` no longer depend on the time zone of who asks."""

from alembic import op

revision = "gold_0006"
down_revision = "gold_0005"
branch_labels = None
depends_on = None

TODAY = """
create function gold.today() returns date language sql stable parallel safe return (now() at time zone 'UTC')::date
"""
POSTING = """
create or replace view gold.posting as
select control_number, sources, position_id, title, agency, department, office, series, series_names, pay_plan,
       grade_low, grade_high, pay_minimum, pay_maximum, pay_interval, annual_minimum, annual_maximum,
       opened_on, closes_on, nullif(ended_on, 'infinity') as ended_on, ended_on >= gold.today() as is_open,
       least(nullif(ended_on, 'infinity'), gold.today()) - opened_on as days_open,
       is_remote, is_telework, schedules, offering_types, hiring_paths, who_may_apply, security_clearance, openings,
       location, places, summary, url, first_seen_at, words, title_words
from gold.posting_stored
"""
DAYS_OPEN = "days from the first to the last of applications, or until today (UTC)"


def upgrade() -> None:
    op.execute(TODAY)
    op.execute("comment on function gold.today() is 'the day in UTC, whatever the time zone of the session'")
    op.execute(POSTING)
    op.execute(f"comment on column gold.posting.days_open is '{DAYS_OPEN}'")
    # The day on which a posting vanished or was cancelled is UTC's too, whoever builds its row.
    op.execute("alter function gold.build(bigint[]) set timezone = 'UTC'")
