"""Which objects in our two schemas are ours. No other object is ever replaced or dropped: a sync that would have to is refused."""

import re
from typing import TYPE_CHECKING, NamedTuple

from cekura_sync import __version__, tables
from cekura_sync.errors import WarehouseError
from cekura_sync.models import runner
from cekura_sync.tables import SCHEMA
from cekura_sync.warehouse import identity

if TYPE_CHECKING:
    from cekura_sync.warehouse.postgres.session import Session

MARK = "cekura-sync"  # how the comment on the schema `cekura` begins; before the first sync is done it is the whole comment
WRITTEN_BY = f"layout {identity.LAYOUT} of version {__version__}"  # how it ends
SIGNATURE = " [cekura-sync]"  # how the comment on each of our views ends
TABLES = (
    *tables.TABLES,
    "_dlt_version",
    "_dlt_loads",
    "_dlt_pipeline_state",
)
_KINDS = {
    "r": "table",
    "p": "table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
    "S": "sequence",
    "i": "index",
    "I": "index",
    "c": "type",
}
_WRITTEN_BY = re.compile(r"layout (\d+) of version (\S+)$")
_NOTHING = "Nothing was changed."


class _Relation(NamedTuple):
    name: str
    kind: str
    comment: str
    may_change: bool

    def full_name(self, schema: str) -> str:
        return f"{_KINDS.get(self.kind, 'relation')} {schema}.{self.name}"


def mark(session: "Session") -> str | None:
    """The comment on the schema, if any."""
    comment: str | None = session.value("select obj_description(to_regnamespace(%s), 'pg_namespace')", SCHEMA)
    return comment


def require(session: "Session", place: str) -> None:
    """Raise WarehouseError unless every object that we would write is ours."""
    comment = mark(session) or ""
    marked = comment.startswith(MARK)
    if marked and (written_by := _WRITTEN_BY.search(comment)):
        identity.require_known(int(written_by[1]), written_by[2], place)
    _require_schemas(session, place, marked=marked)
    _require_tables(session, place, marked=marked)
    _require_views(session, place, marked=marked)


def _require_schemas(session: "Session", place: str, *, marked: bool) -> None:
    # A superuser has every role, and yet not every schema is meant for it.
    schemas = session.rows(
        "select nspname, pg_get_userbyid(nspowner), current_user, pg_get_userbyid(nspowner) = current_user"
        " or pg_has_role(nspowner, 'usage') and (%s or not (select rolsuper from pg_roles where rolname = current_user)),"
        " has_schema_privilege(oid, 'usage') and has_schema_privilege(oid, 'create')"
        " from pg_namespace where nspname = any(%s)",
        marked,
        [SCHEMA, runner.SCHEMA],
    )
    for schema, owner, user, owns, may_create in schemas:
        if schema == SCHEMA and not owns:
            raise WarehouseError(
                f"The schema {schema} in {place} belongs to {owner}: sync as {owner} if that is who synced before, or have `alter schema {schema} owner to {user}` typed if it was made for this, else sync into another database. {_NOTHING}"
            )
        if schema == runner.SCHEMA and not may_create:
            raise WarehouseError(
                f"The schema {schema} in {place} belongs to {owner}: let {owner} type `grant usage, create on schema {schema} to {user}`, or sync into another database. {_NOTHING}"
            )


def _require_tables(session: "Session", place: str, *, marked: bool) -> None:
    tables = _relations(session, SCHEMA, [*TABLES])
    foreign = [table for table in tables if not marked or table.kind not in ("r", "p")]
    if foreign:
        raise WarehouseError(
            f"The {foreign[0].full_name(SCHEMA)} in {place} was not made by `sync`, which needs that name: rename that schema (a dlt pipeline of your own: choose another dataset_name), or sync into another database. {_NOTHING}"
        )
    if "results" not in (table.name for table in tables):
        return
    # Not `_digest`: where a run has left a result for another, a sync itself leaves none.
    if "first_seen_at" not in session.columns()["results"] or session.value(
        f"select exists (select from {SCHEMA}.results where first_seen_at is null)"
    ):
        raise WarehouseError(
            f"The table {SCHEMA}.results in {place} holds rows that no sync wrote, such as those of a pipeline of your own: give that another dataset_name, then `drop schema {SCHEMA}, {runner.SCHEMA} cascade` if nothing else there is yours, or sync into another database. {_NOTHING}"
        )


def _require_views(session: "Session", place: str, *, marked: bool) -> None:
    files = {model.name: model for model in runner.read_models(runner.models_dir())}
    for view in _relations(session, runner.SCHEMA, [*files]):
        # Those of an older version have no signature.
        signed = view.comment.endswith(SIGNATURE) or view.comment == files[view.name].meaning
        if not (marked and signed and view.kind == "v" and view.may_change):
            raise WarehouseError(
                f"The {view.full_name(runner.SCHEMA)} in {place} was not made by `sync`, or belongs to another user, and `sync` makes a view of that name: rename or drop it, or sync into another database. {_NOTHING}"
            )


def _relations(session: "Session", schema: str, names: list[str]) -> list[_Relation]:
    found = session.rows(
        "select relname, relkind::text, coalesce(obj_description(oid, 'pg_class'), ''), pg_has_role(relowner, 'usage')"
        " from pg_class where relnamespace = to_regnamespace(%s) and relname = any(%s) order by relname",
        schema,
        names,
    )
    return [_Relation(*row) for row in found]


class Claim:
    """A first sync's claim on the schema `cekura`: from before dlt makes its tables there until everything is committed."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._before = mark(session)
        self._existed = session.value("select to_regnamespace(%s) is not null", SCHEMA)
        if self._committed_before():
            return
        session.run(f"create schema if not exists {SCHEMA}")
        session.run(f"comment on schema {SCHEMA} is '{MARK}'")

    def _committed_before(self) -> bool:
        """As where somebody has emptied sync_log."""
        return (self._before or "").startswith(f"{MARK} ")

    def give_up(self) -> None:
        """Drop the tables, which are empty; `require` has made sure that none of these names was taken."""
        session = self._session
        if self._committed_before():
            return
        for table in _relations(session, SCHEMA, [*TABLES]):
            session.run(f"drop table {SCHEMA}.{table.name}")
        others = session.value(
            "select exists (select from pg_class where relnamespace = to_regnamespace(%s))", SCHEMA
        )
        if others or (self._existed and self._before != MARK):
            session.run(f"comment on schema {SCHEMA} is %s", None if self._before == MARK else self._before)
        else:
            session.run(f"drop schema {SCHEMA}")
