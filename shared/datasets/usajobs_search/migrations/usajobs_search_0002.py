"""A view of postings with the labels of their codes; a code without one stands for itself."""

from alembic import op

revision = "usajobs_search_0002"
down_revision = "usajobs_search_0001"
branch_labels = None
depends_on = "usajobs_codes_0001"

LABELS = """
create view silver.job_label as
select job.control_number,
       coalesce(interval.value, job.rate_interval_code) as rate_interval,
       array(
           select coalesce(list.value, item.name, item.code)
           from silver.job_schedule as item
                left join silver.code as list on list.list_name = 'positionscheduletypes' and list.code = item.code
           where item.control_number = job.control_number order by item.ordinal
       ) as schedules,
       array(
           select coalesce(list.value, item.name, item.code)
           from silver.job_offering_type as item
                left join silver.code as list on list.list_name = 'positionofferingtypes' and list.code = item.code
           where item.control_number = job.control_number order by item.ordinal
       ) as offering_types,
       array(
           select coalesce(list.value, item.code)
           from silver.job_details, unnest(hiring_path) with ordinality as item (code, ordinal)
                left join silver.code as list on list.list_name = 'hiringpaths' and list.code = item.code
           where job_details.control_number = job.control_number order by item.ordinal
       ) as hiring_paths
from silver.job
     left join silver.code as interval
            on interval.list_name = 'remunerationrateintervalcodes' and interval.code = job.rate_interval_code
"""


def upgrade() -> None:
    op.execute(LABELS)
