"""Where results are kept: a DuckDB file, or a database that others share."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cekura_sync.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import duckdb

    from cekura_sync.diff.base import Lookup
    from cekura_sync.diff.changeset import Changeset
    from cekura_sync.models.runner import Model
    from cekura_sync.models.team import TeamModels
    from cekura_sync.outcome import Outcome, Progress
    from cekura_sync.warehouse.erase import Selection
    from cekura_sync.warehouse.team_changes import TeamChanges


class Warehouse(Protocol):
    """What a sync needs of the warehouse that it fills."""

    @property
    def name(self) -> Path | str:
        """For people: the file, or the engine and its database."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep every other sync out. Raises WarehouseBusy, WarehouseError."""

    def observed(self) -> AbstractContextManager[None]:
        """For a dry run: write nothing, keep nobody out. Raises WarehouseError where `locked` would."""

    def known(self) -> "duckdb.DuckDBPyConnection":
        """A connection with what the warehouse holds attached as `base`."""

    def lookup(self, known: "duckdb.DuckDBPyConnection") -> "Lookup":
        """Brings what that connection does not hold yet."""

    def journal(self) -> tuple[Path, str] | None:
        """Where a reading can outlive its sync, and what tells one state of the warehouse from another; None: nowhere."""

    def pending_log(self) -> list[dict[str, Any]]:
        """Completed syncs that are not in `sync_log` yet."""

    def expect_changes(self) -> None:
        """There will be something to write: what takes long to prepare can begin while pages arrive."""

    def write(
        self,
        changeset: "Changeset",
        team_changes: "TeamChanges | None",
        outcome: "Outcome",
        progress: "Progress",
    ) -> "Outcome":
        """Commit the sync, entirely or not at all. Raises ModelError where the views or their checks fail."""

    def erase(self, selection: "Selection", swapping: "Callable[[], None]") -> int:
        """Remove results for good, or what was said in them; returns how many."""

    def allow(self, result_id: int, swapping: "Callable[[], None]") -> bool:
        """Let syncs store an erased result again; returns whether it was kept away."""

    def answer(self, query: "Model") -> list[dict[str, Any]]:
        """The rows of a query on what was committed last."""

    def have_heard(self, receivers: "Collection[str]") -> bool:
        """Whether these receivers of news have lately heard everything that there was, as far as that is on record."""

    def record_heard(self, receivers: "Collection[str]") -> None:
        """Record it; nobody, before news are looked for."""

    def remember_told(self, rows: "Sequence[Mapping[str, Any]]", progress: "Progress") -> None:
        """Replace what the receivers of news have been told. Only while locked."""

    def rebuild(self, team_changes: "TeamChanges | None", swapping: "Callable[[], None]") -> list[str]:
        """Build the views anew; returns their names."""


def open_warehouse(
    path: Path, destination: str | None = None, team_models: "TeamModels | None" = None
) -> Warehouse:
    """The file at `path`, or with a `destination` that engine. Raises SettingsError."""
    if destination is not None and team_models is not None:
        raise SettingsError("--models builds views in a file only: leave it out with --destination.")
    if destination is not None:
        from cekura_sync.warehouse.postgres import open_engine

        return open_engine(destination)
    from cekura_sync.warehouse.file import WarehouseFile

    return WarehouseFile(path, team_models)
