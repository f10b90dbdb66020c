"""Rows and details that cannot be stored: they are kept as text, with the reason."""

from collections.abc import Collection, Sequence
from datetime import datetime

import duckdb

from cekura_sync.api.endpoints import only_id
from cekura_sync.api.json_values import bigint
from cekura_sync.api.personal import PersonalData
from cekura_sync.diff.base import ERASED
from cekura_sync.diff.changeset import BY_ID
from cekura_sync.diff.said import as_it_may_be_kept, with_own_fields_first
from cekura_sync.errors import CekuraSyncError

MAX_RAW = 100_000  # characters of a rejected row that are kept
TOLD_BY = ("id", "agent", "created_at")  # by these `erase` and `--keep-transcripts` tell which row it is


class Rejected:
    """One sync's, in the table `rejected` of its comparison."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        *,
        started: datetime,
        personal_data: PersonalData,
        silenced: Collection[int],
    ) -> None:
        """`silenced`: the results of which what was said has been erased."""
        self._con = con
        self._started = started
        self._personal_data = personal_data
        self._silenced = silenced
        self.count = 0

    def keep(self, flaws: Sequence[tuple[object, str | None, str | None]]) -> list[int | None]:
        """Take the key, the reason and the text of each. Returns their ids."""
        ids = [bigint(key) for key, _, _ in flaws]
        reasons = [flaw for _, flaw, _ in flaws]
        may_keep = [PersonalData() if id_ in self._silenced else self._personal_data for id_ in ids]
        raws = [
            _cut(as_it_may_be_kept(raw or "", personal_data))
            for (_, _, raw), personal_data in zip(flaws, may_keep, strict=True)
        ]
        self._con.execute(
            "insert into rejected by name select md5(raw || ' ' || reason) as _digest, *, $4 as seen_at"
            " from (select unnest($1::bigint[]) as id, unnest($2::varchar[]) as reason, unnest($3::varchar[]) as raw)",
            [ids, reasons, raws, self._started],
        )
        erased = self._con.execute(f"delete from rejected where {ERASED} returning id").fetchall()
        self.count += len(flaws) - len(erased)
        return ids

    def keep_by_id(self, failed: Sequence[tuple[int, CekuraSyncError]]) -> None:
        """Known rows whose own address brings nothing; their last good version stays."""
        self.keep([(id_, f"{BY_ID}{error}", only_id(id_)) for id_, error in failed])

    def first_flaw(self) -> str:
        return str(self._con.execute("select any_value(reason) from rejected").fetchall()[0][0])


def _cut(raw: str) -> str:
    return raw if len(raw) <= MAX_RAW else with_own_fields_first(raw, TOLD_BY)[:MAX_RAW]
