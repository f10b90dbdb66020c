"""The swap that makes a sync happen at one instant, the lock around it, and the repair of what a crash left."""

import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from cekura_sync import database, tables
from cekura_sync.console import memory
from cekura_sync.errors import WarehouseError
from cekura_sync.models import team
from cekura_sync.temporary import remove_abandoned, temporary_folder
from cekura_sync.warehouse import identity, sync_log
from cekura_sync.warehouse.disk import (
    Fingerprint,
    copy_to_new,
    disk_errors,
    flush,
    flush_directory,
    private_files,
    write_json,
)
from cekura_sync.warehouse.identity import Identity
from cekura_sync.warehouse.layout import Layout, read_json, wal
from cekura_sync.warehouse.lock import Lock
from cekura_sync.warehouse.place import require_place
from cekura_sync.warehouse.writers import StaleWriters


class Swap:
    """One published file and the private directory beside it."""

    def __init__(self, path: Path) -> None:
        self.files = Layout(path)
        self._held = Lock(self.files)
        self._writers = StaleWriters(self.files)
        self._stand_in: Path | None = None  # used as the base where a dry run must not repair it

    # -- opening --------------------------------------------------------------------------------------------------

    @contextmanager
    def locked(self, *, restoring: bool = False) -> Iterator[None]:
        """Hold the warehouse, and repair what an earlier sync or a reader left behind. Raises WarehouseBusy.

        Raises WarehouseError where published file and base are not of one history, unless one of them is to be replaced.
        """
        with disk_errors(self.files.published), private_files(), self._lock():
            self._recover(restoring=restoring)
            self._held.remember()
            try:
                yield
            finally:
                if self._held.is_ours() and not self._swap_is_cut():
                    self._clean()

    @contextmanager
    def observed(self) -> Iterator[None]:
        """For a dry run: refuses whatever `locked` would, but writes nothing and keeps nobody out."""
        with disk_errors(self.files.published), private_files(), temporary_folder() as elsewhere:
            require_place(self.files)
            if self._recorded().get("swap") is True and self.files.work.exists():
                self._stand_in = self.files.work
            elif self.files.published.exists() and not self.files.base.exists():
                self._stand_in, _ = self._copy_of_published(elsewhere)
            if self.files.base.exists() and self._published_changed():
                self._require_same_history(elsewhere)
            yield

    def require(self) -> None:
        """Raises WarehouseError where there is nothing yet."""
        with disk_errors(self.files.published):
            if not self.files.published.exists() and not self.files.base.exists():
                raise WarehouseError(
                    f"There is no warehouse at {self.files.published}: run `cekura-sync sync` first, or pass --warehouse."
                )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        memory.require_address_space()
        require_place(self.files)
        self.files.home.mkdir(mode=0o700, exist_ok=True)
        with self._held.held():
            yield

    def _recover(self, *, restoring: bool) -> None:
        if self._swap_is_cut():
            self._settle_swap()
        self._clean()
        remove_abandoned()
        self._writers.guard()
        self.files.scratch.mkdir(mode=0o700)
        if restoring:
            return
        if self.files.published.exists() and not self.files.base.exists():
            self._adopt()
        if self.files.base.exists() and self._published_changed():
            self._require_same_history(self.files.scratch)
            self._publish_again()

    def _swap_is_cut(self) -> bool:
        """Whether the record of a swap was never closed."""
        return _record_in(self.files.commit).get("swap") is True

    def _recorded(self) -> dict[str, Any]:
        """The record, settled: a swap whose file was never published has not happened."""
        record = _record_in(self.files.commit)
        if (
            record.get("swap") is True
            and self.files.work.exists()
            and self.files.incoming_of(record).exists()
        ):
            return {"generation": record["generation"] - 1, "published": None, "swap": False}
        return record

    def _settle_swap(self) -> None:
        """Finish a swap whose file readers may have seen; close the record of any other."""
        record = self._recorded()
        if record["swap"]:
            self._replace_base(record["generation"], record["published"])
        else:
            self._record(record["generation"], record["published"])

    def _clean(self) -> None:
        shutil.rmtree(self.files.scratch, ignore_errors=True)
        for leftover in self.files.leftovers():
            with suppress(OSError):
                leftover.unlink()

    def _published_changed(self) -> bool:
        recorded = self._recorded().get("published")
        return (
            list(Fingerprint.of(self.files.published) or ()) != recorded or wal(self.files.published).exists()
        )

    def _require_same_history(self, scratch: Path) -> None:
        """Never replace a file that may be somebody else's, or that holds what the base does not. Raises WarehouseError."""
        # An equal inode proves nothing: after ours was deleted, the next file often gets its number.
        if not self.files.published.exists():
            return
        copy, published = self._copy_of_published(scratch)
        base = identity.of_file(self._stand_in or self.files.base)
        if not published.is_same(base):
            raise WarehouseError(
                f"{self.files.published} ({_described(copy)}) and the private copy {self.files.base} ({_described(self.files.base)}) hold different syncs: one of them was replaced. Choose which one to go on from: `cekura-sync restore {self._quoted(self.files.published)}` or `cekura-sync restore {self._quoted(self.files.base)}`. Nothing was changed."
            )

    def _quoted(self, file: Path) -> str:
        """As a shell wants the argument and this --warehouse."""
        return f"{shlex.quote(str(file))} --warehouse {shlex.quote(str(self.files.published))}"

    def _publish_again(self) -> None:
        self._copy_to_fresh(self.files.base)
        published = Fingerprint.of(self.files.incoming)
        self._replace_published()
        self._record(self.generation(), published)

    def _adopt(self) -> None:
        """Rebuild a missing private directory from the published file."""
        copy, found = self._copy_of_published(self.files.scratch)
        with database.connect(copy) as con:
            # A reader may have replaced a view in that file, so the next sync builds them all.
            con.execute("drop table if exists cekura._views")
        copy.replace(self.files.base)
        self._record(found.generation, Fingerprint.of(self.files.published))

    def _copy_of_published(self, scratch: Path) -> tuple[Path, Identity]:
        """A copy without the .wal of readers and free of their locks. Raises WarehouseError for a file that is not ours."""
        copy = scratch / "published.duckdb"
        return copy, identity.of_copy(self.files.published, copy)

    def existing(self) -> Path | None:
        """The private base, or None before the first sync."""
        return self._stand_in or (self.files.base if self.files.base.exists() else None)

    def generation(self) -> int:
        """How many swaps made the base what it is; 0 before the first."""
        base = self.existing()
        return self._recorded().get("generation") or identity.of_file(base).generation if base else 0

    # -- the swap -------------------------------------------------------------------------------------------------

    def commit(
        self,
        write: Callable[[duckdb.DuckDBPyConnection], None],
        before_swap: Callable[[], None],
        forget: Sequence[str] = (),
        *,
        generation: int | None = None,
    ) -> None:
        """Let `write` change a copy of the base, then make that copy the base and the published file.

        `forget`: statements that remove what neither file may hold any longer.
        `before_swap` is called at the last moment at which nothing has changed yet.
        `generation`: the copy is there already, a backup that is restored, and becomes this one.
        """
        before = read_json(self.files.commit)
        if generation is None:
            generation = self.generation() + 1
            try:
                self._copy_base(forget)
                self._write_copy(write, generation, limited=True)
            except Exception as error:
                if not memory.is_exhausted(error):
                    raise
                self._clean_scratch()
                self._copy_base(forget)
                self._write_copy(write, generation)
        else:
            self._write_copy(write, generation)
        flush(self.files.work)
        self._copy_to_fresh(self.files.work)
        published = Fingerprint.of(self.files.incoming)
        before_swap()
        self._held.require()
        self._record(generation, published, swap=True)
        try:
            self._replace_published()
        except OSError:
            write_json(self.files.commit, before)
            raise
        # Readers have the new file: whatever fails from here on is finished by the next start.
        with suppress(OSError):
            self._replace_base(generation, published)
        self._held.remember()

    def _write_copy(
        self, write: Callable[[duckdb.DuckDBPyConnection], None], generation: int, *, limited: bool = False
    ) -> None:
        with database.connect(self.files.work, limited=limited) as con:
            write(con)
            identity.write(con, generation)
            con.execute("checkpoint")

    def _clean_scratch(self) -> None:
        """Of an attempt to write that failed; what the comparison has put there is still needed."""
        shutil.rmtree(self.files.scratch / "dlt", ignore_errors=True)
        for file in (self.files.work, wal(self.files.work)):
            file.unlink(missing_ok=True)

    def _copy_base(self, forget: Sequence[str]) -> None:
        if not self.files.base.exists():
            database.create(self.files.work)
        elif forget:
            self._copy_without(forget)
        else:
            shutil.copyfile(self.files.base, self.files.work)

    def _copy_without(self, forget: Sequence[str]) -> None:
        """What is deleted from a DuckDB file stays readable in blocks that nobody uses, so its tables move to a new one; our views are built there."""
        old = self.files.scratch / "old.duckdb"
        shutil.copyfile(self.files.base, old)
        database.create(self.files.work)
        with database.connect(old) as con:
            tables.complete(con)
            team.keep_views(con)
            for statement in forget:
                con.execute(statement)
            database.copy_tables(con, self.files.work)
        old.unlink()

    def _record(self, generation: int, published: Fingerprint | None, *, swap: bool = False) -> None:
        """Which file is published, or with `swap` which one the swap under way will publish."""
        record = {"generation": generation, "published": published, "swap": swap}
        write_json(self.files.commit, record | ({"incoming": self.files.incoming.name} if swap else {}))

    def _copy_to_fresh(self, source: Path) -> None:
        """A copy beside the published path, with the mode and owner that readers are used to."""
        copy_to_new(source, self.files.incoming, like=self.files.published)

    def _replace_base(self, generation: int, published: Fingerprint | None) -> None:
        """The second half of a swap; after a crash it may find itself already done."""
        if self.files.work.exists():
            self.files.work.replace(self.files.base)
            flush_directory(self.files.home)
        # Left open, the record would make the next start publish the unfinished work of a later sync.
        self._record(generation, published)

    def _replace_published(self) -> None:
        self._writers.keep()
        self.files.incoming.replace(self.files.published)
        self._writers.guard()
        flush_directory(self.files.published.parent)


def _described(path: Path) -> str:
    with database.connect(path, read_only=True) as con:
        last = sync_log.newest(con)
        return f"last sync {last['finished_at']}" if last else "no sync"


def _record_in(path: Path) -> dict[str, Any]:
    """The record of a swap; empty where it is damaged."""
    record = read_json(path)
    fits = isinstance(record.get("generation"), int) and isinstance(record.get("published"), list | None)
    return record if fits else {}
