"""The steps in which a sync writes a warehouse, in their order: the same for a file and for an engine."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from cekura_sync.errors import ModelError

if TYPE_CHECKING:
    from datetime import datetime

    from cekura_sync.models.checks import Finding
    from cekura_sync.outcome import Outcome
    from cekura_sync.warehouse.team_changes import TeamChanges


class Target(Protocol):
    """A warehouse while it is written. Nobody sees any of it before it is committed."""

    def merge(self) -> None:
        """Write what has changed into the tables."""

    def complete(self) -> None:
        """Make the tables and columns that the views select from and that are missing."""

    def store(self, team_changes: "TeamChanges") -> None:
        """Replace the team's changes."""

    def build_views(self) -> list[str]:
        """Returns their names. Views whose text is the same as before may stay."""

    def count_runs(self) -> None:
        """Where it saves time, store the counts of `tables.COUNTED` with each live result that has none: it was written, or by an older version."""

    def findings(self, since: "datetime | None") -> Sequence["Finding"]:
        """Each of our own rules that does not hold. `since`: only the rows written since then need to be asked."""

    def log(self, entry: Mapping[str, Any]) -> None:
        """Add this sync to `sync_log`."""


def write(target: Target, team_changes: "TeamChanges | None", outcome: "Outcome") -> "Outcome":
    """All of a sync but the commit. Raises ModelError."""
    target.merge()
    # A full sync, once a day by default, checks everything; a quick one what it wrote.
    build(target, team_changes, since=outcome.started if outcome.mode == "quick" else None)
    outcome = outcome.finished_now()
    target.log(outcome.log_entry())
    return outcome


def build(target: Target, team_changes: "TeamChanges | None", since: "datetime | None" = None) -> list[str]:
    """The views over the rows that are there; returns their names. Raises ModelError."""
    target.complete()
    if team_changes is not None:
        target.store(team_changes)
    names = target.build_views()
    target.count_runs()
    if findings := target.findings(since):
        finding = findings[0]
        raise ModelError(
            f"The check {finding.check} finds {finding.rows} wrong rows, such as {finding.example}: {finding.question} Nothing was changed; fix sql/, or report it."
        )
    return names
