"""Tables of Delta and Iceberg in a local folder: merged by dlt, read back by readers that know nothing of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.harness import FIELDS, Record, assembled, assert_same, require_destination
from support.theirs import Theirs

SCRIPT = """
import dlt
from cekura_sync import cekura_source

for table_format in {formats}:
    destination = dlt.destinations.filesystem(table_format)
    pipeline = dlt.pipeline(table_format, destination=destination, dataset_name="raw", pipelines_dir="state")
    pipeline.run(cekura_source(), table_format=table_format)
"""
RUN = ("result_id", "id", "status", "success", "scenario", "scenario_name")
SCENARIO = ("result_id", "scenario_id", "scenario_name")

Read = Callable[[Path], Any]  # an Arrow table


def delta(folder: Path) -> Any:
    import polars

    return polars.read_delta(str(folder)).to_arrow()


def iceberg(folder: Path) -> Any:
    from pyiceberg.table import StaticTable

    newest = max((folder / "metadata").glob("*.metadata.json"))
    # Its upsert writes rows that are marked to be removed like any other.
    return StaticTable.from_metadata(str(newest)).scan("_removed = false").to_arrow()


READERS: dict[str, tuple[Read, str]] = {
    "delta": (delta, "deltalake polars"),
    "iceberg": (iceberg, "pyiceberg pyiceberg_core"),
}


class Lake:
    def __init__(self, theirs: Theirs, name: str) -> None:
        self._folder = theirs.folder / name / "raw"
        self._reader, _ = READERS[name]

    def stored(self) -> dict[int, Record]:
        return assembled(
            self._rows("results", FIELDS), self._rows("runs", RUN), self._rows("result_scenarios", SCENARIO)
        )

    def _rows(self, table: str, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
        import pyarrow as pa

        read = self._reader(self._folder / table).select(columns)
        for place, field in enumerate(read.schema):
            if pa.types.is_timestamp(field.type):
                read = read.set_column(
                    place, field.name, read[field.name].cast(pa.timestamp("us", "UTC")).cast("int64")
                )
        return [tuple(row.values()) for row in read.to_pylist()]


def test_two_merges_leave_the_apis_rows_for_any_reader_and_runs_that_a_result_has_lost(
    theirs: Theirs,
) -> None:
    """dlt's upsert, the only merge of these formats, knows no merge_key: what a result has lost, stays."""
    for _, packages in READERS.values():
        for package in packages.split():
            require_destination(package)
    world = theirs.world
    theirs.script(SCRIPT.format(formats=[*READERS]))
    for name in READERS:
        assert_same(Lake(theirs, name).stored(), theirs.api())

    recent = sorted(world.results, reverse=True)
    world.edit(recent[5], name="renamed")
    world.touchless_edit(recent[6], success_rate=0.0)
    world.insert(4)
    world.finish()
    lost, before = recent[7], theirs.api()
    world.drop_runs(lost)
    theirs.script(SCRIPT.format(formats=[*READERS]))

    kept = {name: before[lost][name] for name in ("runs", "scenarios")}
    after = theirs.api()
    assert kept["runs"] != after[lost]["runs"]
    for name in READERS:
        assert_same(Lake(theirs, name).stored(), after | {lost: after[lost] | kept})
