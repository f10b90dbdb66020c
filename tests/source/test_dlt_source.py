"""`cekura_source` in pipelines that are not ours: each a script of its own, as somebody who runs dlt would write it."""

import json
import subprocess
import sys

import pytest

from support.harness import assert_same, require_destination
from support.theirs import Theirs

DAGSTER = """
import dagster
import dlt
from dagster_dlt import DagsterDltResource, dlt_assets
from cekura_sync import cekura_source

pipeline = dlt.pipeline("theirs", destination=dlt.destinations.duckdb("theirs.duckdb"), dataset_name="raw", pipelines_dir="state")

@dlt_assets(dlt_source=cekura_source(), dlt_pipeline=pipeline, name="cekura")
def cekura(context: dagster.AssetExecutionContext, dlt: DagsterDltResource):
    yield from dlt.run(context=context)

result = dagster.materialize([cekura], resources={"dlt": DagsterDltResource()})
events = result.get_asset_materialization_events()
print(sorted(event.asset_key.path[-1] for event in events))
"""


def test_a_plain_pipeline_has_the_apis_rows_and_its_second_run_merges_what_changed(theirs: Theirs) -> None:
    """And the key is in no file but theirs."""
    theirs.run()
    assert_same(theirs.stored(), theirs.api())
    full = len(theirs.sandbox.requests)
    holding = [
        path.relative_to(theirs.folder).as_posix()
        for path in theirs.folder.rglob("*")
        if path.is_file() and theirs.sandbox.key.encode() in path.read_bytes()
    ]
    assert holding == [".dlt/secrets.toml"]

    recent = sorted(theirs.world.results, reverse=True)
    theirs.world.edit(recent[5], name="renamed")
    theirs.world.touchless_edit(recent[6], success_rate=0.0)
    theirs.world.drop_runs(recent[7])
    theirs.world.insert(4)
    theirs.world.finish()
    theirs.run()

    assert_same(theirs.stored(), theirs.api())
    assert len(theirs.sandbox.requests) < full


@pytest.mark.long  # it is the same code as in a sync into a file
def test_runs_are_followed_although_the_list_no_longer_shows_any(theirs: Theirs) -> None:
    theirs.run()
    theirs.sandbox.change(summaries=False)
    theirs.world.rerun(sorted(theirs.world.results)[-3])
    theirs.world.finish()

    theirs.run()

    assert_same(theirs.stored(), theirs.api())


@pytest.mark.long  # test_read_back.py deletes in every run
def test_a_deletion_is_seen_by_a_run_that_begins_anew(theirs: Theirs) -> None:
    deleted, emptied = list(theirs.world.results)[100:102]
    theirs.world.drop_runs(emptied)
    theirs.run()
    theirs.world.delete(deleted)

    theirs.run()
    assert deleted in theirs.stored()
    theirs.run(then=', refresh="drop_data"')
    assert_same(theirs.stored(), theirs.api())


@pytest.mark.long  # test_read_back.py filters in every run
def test_each_filter_has_a_cursor_of_its_own(theirs: Theirs) -> None:
    agent = theirs.world.agents[0].id
    theirs.run(SOURCES__CEKURA__AGENT_ID=str(agent))
    assert_same(theirs.stored(), {id_: row for id_, row in theirs.api().items() if row["agent"] == agent})

    theirs.run()
    assert_same(theirs.stored(), theirs.api())


def test_a_failed_reading_loads_nothing_and_leaves_dlt_as_it_is(theirs: Theirs) -> None:
    """Their variables and files keep their meaning: ours would shut both out."""
    printed = theirs.script(
        """
import dlt, os
from cekura_sync import cekura_source
from dlt.pipeline.exceptions import PipelineStepFailed

pipeline = dlt.pipeline("theirs", destination=dlt.destinations.duckdb("theirs.duckdb"), dataset_name="raw", pipelines_dir="state")
try:
    pipeline.run(cekura_source("wrong"))
except PipelineStepFailed as error:
    print("check SOURCES__CEKURA__API_KEY" in str(error), dlt.config["sources.cekura.api_url"].startswith("http://"), os.environ["DLT_THEIRS"])
try:
    cekura_source("two words")
except Exception as error:
    print(str(error).startswith("SOURCES__CEKURA__API_KEY holds a space"))
""",
        DLT_THEIRS="kept",
    )

    assert printed.split() == ["True", "True", "kept", "True"]
    assert theirs.query("select table_name from information_schema.tables where table_schema = 'raw'") == []


def test_importing_the_package_imports_neither_dlt_nor_duckdb() -> None:
    seen = subprocess.run(
        [sys.executable, "-c", "import cekura_sync, json, sys; print(json.dumps([*sys.modules]))"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert {"dlt", "duckdb", "httpx"}.isdisjoint(json.loads(seen.stdout))


def test_dagster_materialises_it_as_assets(theirs: Theirs) -> None:
    require_destination("dagster_dlt")
    printed = theirs.script(DAGSTER)

    assert "dlt_cekura_results" in printed
    assert_same(theirs.stored(), theirs.api())
