"""The syncs of one job as a file in Prometheus text format, for the textfile collector of a node exporter."""

import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from cekura_sync import __version__

_PREFIX = "cekura_sync_"
_GAUGES = {
    "last_run_timestamp_seconds": "When the last sync ended, successful or not.",
    "last_run_exit_code": "Its exit code; 0 is success.",
    "last_run_duration_seconds": "How long it took.",
    "last_success_timestamp_seconds": "When the last successful sync ended; 0 before the first.",
    "last_full_success_timestamp_seconds": "When the last successful full sync ended; absent before the first.",
    "results": "Live results in the warehouse.",
    "in_flight": "Live results that are not finished.",
    "details_left": "Results whose details are still to be read; absent without --details.",
}
_COUNTERS = {
    "runs_total": "Syncs that ended, successful or not.",
    "failures_total": "Syncs that failed.",
    "requests_total": "Requests that successful syncs sent.",
    "retries_total": "Requests that successful syncs repeated.",
    "rows_read_total": "Results that successful syncs read.",
    "inserted_total": "Results that successful syncs inserted.",
    "updated_total": "Results whose content successful syncs changed.",
    "deleted_total": "Results that successful syncs marked deleted.",
    "restored_total": "Results that successful syncs restored.",
    "rejected_total": "Rows that successful syncs could not take, counted at each sync.",
}
_READ_AT_MOST = 1 << 16  # characters of a file that may not be ours
_HEAD = f"# HELP {_PREFIX}"
_SAMPLE = re.compile(rf"{_PREFIX}(\w+)(\{{.*\}}) ([\d.e+-]+)")


def record(
    path: Path,
    labels: Mapping[str, str],
    *,
    code: int,
    started: datetime,
    finished: datetime,
    outcome: Mapping[str, Any] | None,
) -> None:
    """Replace the file as a whole. A failure keeps the figures of the last success. Raises OSError."""
    path = path.resolve()
    marks = _labels(labels)
    values = _samples(path, marks)
    values |= {
        "last_run_timestamp_seconds": finished.timestamp(),
        "last_run_exit_code": code,
        "last_run_duration_seconds": (finished - started).total_seconds(),
    }
    values.setdefault("last_success_timestamp_seconds", 0)
    if outcome is not None:
        values["last_success_timestamp_seconds"] = finished.timestamp()
        if outcome["mode"] == "full":
            values["last_full_success_timestamp_seconds"] = finished.timestamp()
        values.pop("details_left", None)
        values |= {
            name: outcome[name] for name in ("results", "in_flight", "details_left") if name in outcome
        }
    for name in _COUNTERS:
        values[name] = values.get(name, 0) + _increase(name.removesuffix("_total"), code, outcome)
    _replace(path, _text(values, marks) + _info(labels))


def _increase(name: str, code: int, outcome: Mapping[str, Any] | None) -> int:
    ours = {"runs": 1, "failures": int(code != 0)}
    return ours[name] if name in ours else outcome[name] if outcome is not None else 0


def _labels(labels: Mapping[str, str]) -> str:
    """Label values, escaped so that none can break its line."""
    escapes = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": " "})
    pairs = (f'{name}="{value.translate(escapes)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _samples(path: Path, marks: str) -> dict[str, float]:
    """What the file says of this job. Raises OSError for a file that is not ours to replace."""
    if not path.exists():
        return {}
    text = "?"
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_READ_AT_MOST)
    if text and not text.startswith(_HEAD):
        raise FileExistsError(None, "is not a metrics file of cekura-sync and was left alone", str(path))
    found = (_SAMPLE.fullmatch(line) for line in text.split("\n"))
    samples = {}
    for match in found:
        if match and match[2] == marks and match[1] in _GAUGES | _COUNTERS:
            with suppress(ValueError):
                samples[match[1]] = float(match[3])
    return samples


def _text(values: Mapping[str, float], marks: str) -> str:
    lines = []
    for kind, names in (("gauge", _GAUGES), ("counter", _COUNTERS)):
        for name, meaning in names.items():
            if name in values:
                lines.append(f"{_HEAD}{name} {meaning}")
                lines.append(f"# TYPE {_PREFIX}{name} {kind}")
                lines.append(f"{_PREFIX}{name}{marks} {float(values[name])!r}")
    return "\n".join(lines) + "\n"


def _info(labels: Mapping[str, str]) -> str:
    """A constant that carries the version as a label, as is the custom among exporters."""
    name = "build_info"
    return (
        f"{_HEAD}{name} The version that wrote this file.\n"
        f"# TYPE {_PREFIX}{name} gauge\n"
        f"{_PREFIX}{name}{_labels({'version': __version__, **labels})} 1\n"
    )


def _replace(path: Path, text: str) -> None:
    """Under a temporary name first, one that no collector reads: it may read the directory at any moment."""
    descriptor, fresh = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)  # the exporter is another user
        Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
