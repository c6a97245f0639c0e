"""The role that the read API acts as: it may read gold and nothing else, and write nothing."""

from alembic import op

revision = "gold_0004"
down_revision = "gold_0003"
branch_labels = None
depends_on = None

# A role belongs to the whole server, so it may be there already, and another database may make it at the same time. An
# owner that may not create roles leaves that to an administrator: the API says so when it starts, and calls this again.
ADMIT = """
create function gold.admit_readers() returns boolean language plpgsql as $body$
begin
    begin
        if not exists (select from pg_roles where rolname = 'smelt_read') then
            create role smelt_read nologin;
            execute format('grant smelt_read to %I with inherit false, set true', current_user);
        end if;
    exception
        when duplicate_object or unique_violation then null;
        when insufficient_privilege then return false;
    end;
    grant usage on schema gold to smelt_read;
    grant select on all tables in schema gold to smelt_read;
    return pg_has_role(current_user, 'smelt_read', 'set');
end
$body$
"""


def upgrade() -> None:
    op.execute(ADMIT)
    op.execute("select gold.admit_readers()")
