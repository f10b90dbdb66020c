"""What a person sees: progress and messages on stderr, tables on stdout. Nothing from the data can drive the terminal."""

import csv
import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any, TextIO

import click

from cekura_sync import clock
from cekura_sync.console.pace import Pace, roughly

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID
LINE_EVERY = 5.0  # seconds between progress lines where there is no terminal
ROWS_AT_A_TIME = 1000
# Part of how Persian, Hindi and many emoji are written.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


def plain(text: str) -> str:
    """The text without control characters and direction overrides."""
    return "".join(
        character if character.isprintable() or character in _JOINERS else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


_log_format = "text"


def log_as(form: str) -> None:
    """Write lines on stderr as `json`; any other word means text."""
    global _log_format
    _log_format = form


def message(text: str, *, level: str = "info", event: str = "message", **fields: object) -> None:
    """One line on stderr. Never fails, even if stderr is closed."""
    if _log_format == "json":
        now = clock.now().isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "level": level, "event": event, "message": text, **fields})
    else:
        line = plain(f"Warning: {text}" if level == "warning" else text)
    with suppress(OSError):
        click.echo(line, err=True)


def warn(text: str) -> None:
    message(text, level="warning", event="warning")


def failed(sentence: str, code: int, notes: Sequence[str]) -> None:
    """What went wrong, in one sentence, and lines with more where they help."""
    if _log_format == "json":
        message(
            sentence, level="error", event="failed", exit_code=code, **({"notes": notes} if notes else {})
        )
        return
    for line in (f"cekura-sync: {sentence}", *notes):
        message(line)


def leave_ctrl_c() -> None:
    """Start a new line on a terminal, which shows ^C and leaves the cursor behind it."""
    if sys.stderr.isatty():
        message("")


class Reporter:
    """Progress of a sync: a bar on a terminal, a line now and then elsewhere, only warnings when quiet."""

    def __init__(self, *, quiet: bool, verbose: bool, swapping: Callable[[], None] = lambda: None) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._swapping = swapping
        self._said = time.monotonic()
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._details: TaskID | None = None

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            with suppress(OSError):
                self._bar.stop()

    def read(self, pages: int, rows: int, expected: int | None, pace: Pace) -> None:
        if self._quiet:
            return
        now, rate = time.monotonic(), pace.rows_a_second(rows)
        if sys.stderr.isatty() and _log_format != "json":
            with suppress(OSError):
                self._draw(pages, rows, expected, rate)
        elif now - self._said >= LINE_EVERY:
            self._said = now
            left = pace.seconds_left(rows, expected)
            message(
                f"{pages:,} pages, {rows:,} results, {rate:,.0f} a second{f', about {roughly(left)} left' if left else ''}",
                event="progress",
                pages=pages,
                rows=rows,
                expected=expected,
            )

    def read_details(self, done: int, asked: int) -> None:
        if self._quiet:
            return
        if sys.stderr.isatty() and _log_format != "json":
            with suppress(OSError):
                self._draw_details(done, asked)
        elif time.monotonic() - self._said >= LINE_EVERY:
            self._said = time.monotonic()
            message(
                f"Details of {done:,} of {asked:,} results", event="progress", details=done, expected=asked
            )

    def _draw_details(self, done: int, asked: int) -> None:
        if self._bar is None:
            self._bar = _new_bar()
            self._bar.start()
        if self._details is None:
            if self._task is not None:
                self._bar.remove_task(self._task)
                self._task = None
            self._details = self._bar.add_task("Reading details", total=asked, said="")
        self._bar.update(self._details, completed=done)

    def _draw(self, pages: int, rows: int, expected: int | None, rate: float) -> None:
        if self._bar is None:
            if pages < 2:
                return  # most syncs are over before a bar could be read
            self._bar = _new_bar()
            self._task = self._bar.add_task("Reading results", total=None, said="")
            self._bar.start()  # last: it hides the cursor, and an interruption must find the bar to restore it
        if self._task is not None:
            total = max(expected, rows) if expected else None
            said = f"{pages:,} pages, {rate:,.0f} a second"
            self._bar.update(self._task, completed=rows, total=total, said=said)

    def say(self, text: str) -> None:
        if self._verbose and not self._quiet:
            message(text)

    def warn(self, text: str) -> None:
        warn(text)

    def swapping(self) -> None:
        self._swapping()


def _new_bar() -> "RichProgress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Rows as a table for people, or on a terminal too narrow for it one block a row: no value is ever folded.

    Many rows are printed a thousand at a time, each thousand at least as wide as the one before.
    """
    names, waiting = [plain(column) for column in columns], iter(rows)
    widths, numeric = [_width(name) for name in names], [False] * len(names)
    if title is not None:
        click.secho(title, bold=True)
    part: list[Sequence[Any]] | None = None
    while part is None or len(part) == ROWS_AT_A_TIME:
        first, part = part is None, list(islice(waiting, ROWS_AT_A_TIME))
        cells = [[_cell(value) for value in row] for row in part]
        for index, column in enumerate(zip(*cells, strict=True)):
            widths[index] = max(widths[index], *map(_width, column))
            numeric[index] |= any(isinstance(row[index], int | float) for row in part)
        if sys.stdout.isatty() and _table_width(widths) > shutil.get_terminal_size().columns:
            lines = _blocks(names, cells)
        else:
            lines = _lines(names, widths, numeric, cells, first=first)
        click.echo("\n".join(lines), nl=bool(lines))


def _table_width(widths: list[int]) -> int:
    return sum(widths) + 3 * len(widths) + 1


def _lines(
    names: list[str], widths: list[int], numeric: list[bool], rows: list[list[str]], *, first: bool
) -> list[str]:
    """Numbers to the right."""

    def line(cells: Sequence[str]) -> str:
        padded = [
            " " * (width - _width(cell)) + cell if right else cell + " " * (width - _width(cell))
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        ]
        return f"  {'   '.join(padded)}".rstrip()

    head = ["", line(names), f" {'─' * (_table_width(widths) - 2)}"] if first else []
    return [*head, *map(line, rows)]


def _width(text: str) -> int:
    """In columns of a terminal: some letters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _blocks(names: list[str], rows: list[list[str]]) -> list[str]:
    """A line for each value; one that is longer than the line is left to the terminal."""
    longest = max(map(len, names))
    return [
        line
        for row in rows
        for line in ("", *(f"{name:{longest}}  {cell}" for name, cell in zip(names, row, strict=True)))
    ]


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}"
    return plain(_text(value))


def _text(value: object) -> str:
    return value.isoformat(sep=" ", timespec="seconds") if isinstance(value, datetime) else str(value)


def print_outcome(outcome: dict[str, Any]) -> None:
    """One JSON object. The sync is done, so a closed stdout is only worth a warning."""
    try:
        click.echo(json.dumps(outcome))
    except OSError as error:
        warn(f"the outcome cannot be printed: {error.strerror}.")


def print_json(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """An array of objects, each as soon as it is there."""
    names, begin = _apart(columns), "["
    for row in rows:
        told = dict(zip(names, map(_json_value, row), strict=True))
        click.echo(begin + json.dumps(told, ensure_ascii=True, allow_nan=False), nl=False)
        begin = ", "
    click.echo("[]" if begin == "[" else "]")


def _apart(columns: Sequence[str]) -> list[str]:
    """An object holds each name once: a second `a` becomes `a_1`, as DuckDB itself names it in a subquery."""
    names: list[str] = []
    for column in columns:
        candidates = chain([column], (f"{column}_{number}" for number in count(1)))
        taken = {*names, *(columns if column in names else ())}
        names.append(next(name for name in candidates if name not in taken))
    return names


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], out: TextIO | None = None) -> None:
    out = out or sys.stdout
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    if out.isatty():
        rows = (["" if value is None else plain(str(value)) for value in row] for row in rows)
    writer.writerows(rows)
    out.flush()


def _json_value(value: object) -> object:
    """A value that JSON can hold; NaN and infinity become null."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _json_value(item) for name, item in value.items()}
    isoformat = getattr(value, "isoformat", None)
    return isoformat() if isoformat else str(value)
