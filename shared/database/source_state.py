"""The state of incremental sources in `ops.source_state`, and its copy in the bucket."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select
from sqlalchemy.dialects.postgresql import insert

from shared.database.ops_tables import SOURCE_STATE
from shared.formats.source_state import SourceState
from shared.storage import object_keys, objects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def locked(connection: Connection, dataset: str, params: Mapping[str, str]) -> Row[Any]:
    """The state of runs with these params, locked until the transaction ends. It is made if there is none."""
    scope = {"dataset": dataset, "params": dict(params)}
    connection.execute(insert(SOURCE_STATE).values(**scope).on_conflict_do_nothing())
    of_scope = (SOURCE_STATE.c.dataset == dataset, SOURCE_STATE.c.params == dict(params))
    return connection.execute(select(SOURCE_STATE).where(*of_scope).with_for_update()).one()


def publish(connection: Connection, s3: "S3Client", bucket: str, dataset: str, params: Mapping[str, str]) -> None:
    """Copy the state to the bucket. The lock puts copies in order, so that the last one is the newest."""
    row = locked(connection, dataset, params)
    state = SourceState(
        dataset=dataset, params=dict(params), generation=row.generation, cursor=row.cursor, run_id=row.run_id
    )
    key = object_keys.state_key(dataset, params)
    objects.put(s3, bucket, key, state.model_dump_json().encode(), "application/json")
