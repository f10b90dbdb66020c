"""Tells the monitors of a job that a sync starts and how it ended, whatever ended it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cekura_sync import clock, settings
from cekura_sync.console import terminal
from cekura_sync.console.exits import ExitCode, exit_code_for
from cekura_sync.console.signals import stop_signals
from cekura_sync.monitoring import metrics
from cekura_sync.settings import addresses

if TYPE_CHECKING:
    from cekura_sync.monitoring.ping import Ping


class Watch:
    """One sync as the monitors see it."""

    def __init__(self, ping: "Ping | None", metrics_file: str | None, labels: Mapping[str, str]) -> None:
        self.outcome: dict[str, Any] | None = None  # of a sync that succeeded
        self._ping = ping
        self._metrics_file = metrics_file
        self._labels = labels
        self._started = clock.now()

    def begin(self) -> None:
        if self._ping is not None:
            self._ping.start()

    def end(self, code: ExitCode) -> None:
        if self._metrics_file:
            self._write_metrics(Path(self._metrics_file), code)
        if self._ping is not None:
            self._ping.end(code)

    def _write_metrics(self, path: Path, code: ExitCode) -> None:
        try:
            metrics.record(
                path,
                self._labels,
                code=code,
                started=self._started,
                finished=clock.now(),
                outcome=self.outcome,
            )
        except OSError as error:
            terminal.warn(
                f"The metrics cannot be written ({path}: {error.strerror}): check --metrics. The sync itself is not affected."
            )


@contextmanager
def watched(ping: str | None, metrics_file: str | None, options: Mapping[str, Any]) -> Iterator[Watch]:
    """Report the sync inside. A dry run is not a sync and is not reported. Raises SettingsError for a malformed address."""
    address = addresses.check_ping(ping) if ping else None
    if options["dry_run"]:
        address = metrics_file = None
    watch = Watch(_switch(address), metrics_file, _labels(options) if metrics_file else {})
    watch.begin()
    try:
        yield watch
    except BaseException as error:
        stop_signals.hold()
        watch.end(exit_code_for(error))
        raise
    stop_signals.hold()  # the sync is done: a signal can no longer stop it
    watch.end(ExitCode.OK)


def _switch(address: str | None) -> "Ping | None":
    if address is None:
        return None
    from cekura_sync.monitoring.ping import Ping

    return Ping(address, terminal.warn)


def _labels(options: Mapping[str, Any]) -> dict[str, str]:
    """What distinguishes jobs that write into one directory. Computed before the settings are checked."""
    warehouse = settings.named_warehouse(options)
    engine = options["destination"] or (not options["warehouse"] and os.environ.get(settings.DESTINATION))
    filters = {name: options[name] for name in ("agent_id", "project_id", "search", "scenarios")}
    scope = ",".join(f"{name}={value}" for name, value in filters.items() if value is not None)
    warehouse = f"{engine}:cekura" if engine else str(Path(warehouse).absolute())
    return {"warehouse": warehouse, "scope": scope or "all"}
