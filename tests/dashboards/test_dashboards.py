"""`dashboards superset`: an archive that Superset imports, and files that never replace somebody else's."""

import zipfile
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from cekura_sync import dashboards
from cekura_sync.dashboards import queries
from support.harness import Ran, run

ARCHIVE = "cekura-superset.zip"


def write(folder: Path, warehouse: Path | str = "warehouse.duckdb", **env: str) -> Ran:
    return run("dashboards", "superset", "--to", str(folder), "--warehouse", str(warehouse), env=env)


def contents(folder: Path) -> dict[str, Any]:
    with zipfile.ZipFile(folder / ARCHIVE) as bundle:
        return {name.removeprefix("cekura/"): yaml.safe_load(bundle.read(name)) for name in bundle.namelist()}


def of_kind(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [content for name, content in contents(folder).items() if name.startswith(kind)]


# -- what is shown ----------------------------------------------------------------------------------------------------


def test_every_query_has_rows_and_says_what_its_columns_mean(con: duckdb.DuckDBPyConnection) -> None:
    for query in queries.read().values():
        answer = con.sql(query.sql)

        assert [(column.name, column.kind) for column in query.columns] == list(
            zip(answer.columns, map(str, answer.types), strict=True)
        )
        assert [column.name for column in query.columns if not column.meaning] == []
        assert query.meaning.startswith("One row")
        rows = answer.fetchall()
        assert rows, query.name
        empty = [
            name
            for name, values in zip(answer.columns, zip(*rows, strict=True), strict=True)
            if set(values) == {None}
        ]
        assert set(empty) <= {"no_verdict_because", "overdue_at"}, query.name


def test_every_chart_draws_columns_and_metrics_that_its_dataset_has(tmp_path: Path) -> None:
    assert write(tmp_path).code == 0
    datasets = {each["uuid"]: each for each in of_kind(tmp_path, "datasets/")}

    for chart in of_kind(tmp_path, "charts/"):
        dataset = datasets[chart["dataset_uuid"]]
        columns = {column["column_name"] for column in dataset["columns"]}
        metrics = {metric["metric_name"] for metric in dataset["metrics"]}
        params = chart["params"]
        named = [
            *params.get("all_columns", []),
            *params.get("groupby", []),
            params.get("x_axis"),
            *params.get("column_config", {}),
        ]
        assert {name for name in named if name} <= columns, chart["slice_name"]
        assert {*params.get("metrics", []), *params.get("metrics_b", [])} <= metrics, chart["slice_name"]
        assert named != [None]


def test_every_metric_is_a_formula_over_what_is_selected(
    tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    assert write(tmp_path).code == 0
    asked = {
        dataset["table_name"]: {metric["metric_name"]: metric["expression"] for metric in dataset["metrics"]}
        for dataset in of_kind(tmp_path, "datasets/")
    }
    shown = queries.read()

    for name, metrics in asked.items():
        con.execute(f"select {', '.join(metrics.values())} from ({shown[name].sql})").fetchall()

    over_time = asked["agents_over_time"]
    names = ("Pass rate", "95 % from", "95 % to", "Noted change")
    select = f"select {', '.join(over_time[name] for name in names)} from ({shown['agents_over_time'].sql})"
    ((rate, low, high, at_change),) = con.execute(select).fetchall()
    ((true_rate,),) = con.execute(
        "select sum(passed_runs) / sum(decided_runs) from analytics.agent_pass_rate"
    ).fetchall()
    assert (rate, at_change) == (pytest.approx(true_rate), rate)
    assert 0 < low < rate < high < 1
    assert con.execute(f"{select} where noted_changes is null").fetchall()[0][3] is None
    assert con.execute(f"{select} where decided_runs = 0").fetchall() == [(None, None, None, None)]


def test_a_layout_holds_every_chart_once_in_rows_of_twelve_columns(tmp_path: Path) -> None:
    assert write(tmp_path).code == 0
    (dashboard,) = of_kind(tmp_path, "dashboards/")
    places = dashboard["position"]
    charts = {
        place["meta"]["uuid"]: place
        for place in places.values()
        if isinstance(place, dict) and place["type"] == "CHART"
    }

    assert charts.keys() == {chart["uuid"] for chart in of_kind(tmp_path, "charts/")}
    for row in (place for place in places.values() if isinstance(place, dict) and place["type"] == "ROW"):
        assert sum(places[chart]["meta"]["width"] for chart in row["children"]) == 12
    (chosen,) = dashboard["metadata"]["native_filter_configuration"]
    without = {
        charts[chart["uuid"]]["meta"]["chartId"]
        for chart in of_kind(tmp_path, "charts/")
        if "agent" not in str(chart["params"])
    }
    fresh = {
        charts[chart["uuid"]]["meta"]["chartId"]
        for chart in of_kind(tmp_path, "charts/")
        if "last_sync_at" in str(chart["params"])
    }
    assert set(chosen["scope"]["excluded"]) == fresh <= without


# -- what is written --------------------------------------------------------------------------------------------------


def test_writing_needs_no_warehouse_and_holds_no_key(tmp_path: Path) -> None:
    ran = write(
        tmp_path / "new" / "folder", tmp_path / "not yet there.duckdb", CEKURA_API_KEY="sk-very-secret"
    )

    assert (ran.code, ran.out) == (0, "")
    assert "Wrote cekura-superset.zip" in ran.err
    (database,) = of_kind(tmp_path / "new" / "folder", "databases/")
    assert database["sqlalchemy_uri"] == f"duckdb:///{tmp_path}/not yet there.duckdb?access_mode=read_only"
    assert "secret" not in str(contents(tmp_path / "new" / "folder"))
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        ".cekura-dashboards.json",
        ARCHIVE,
    ]


def test_the_path_of_the_warehouse_stands_in_it_as_it_was_given(tmp_path: Path) -> None:
    """It is a path on another machine, perhaps: what is a link here need not be one there."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    assert write(tmp_path / "out", tmp_path / "link" / "warehouse.duckdb").code == 0

    (database,) = of_kind(tmp_path / "out", "databases/")
    assert f"{tmp_path}/link/warehouse.duckdb?" in database["sqlalchemy_uri"]


def test_a_second_archive_of_a_warehouse_is_the_same_and_one_of_another_shares_no_id(tmp_path: Path) -> None:
    assert write(tmp_path / "a", tmp_path / "one.duckdb").code == 0
    first = (tmp_path / "a" / ARCHIVE).read_bytes()

    assert write(tmp_path / "a", tmp_path / "one.duckdb").code == 0
    assert write(tmp_path / "b", tmp_path / "two.duckdb").code == 0

    assert (tmp_path / "a" / ARCHIVE).read_bytes() == first
    with zipfile.ZipFile(tmp_path / "a" / ARCHIVE) as bundle:  # an archive holds no time of writing
        assert {entry.date_time for entry in bundle.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    ids = [
        {content["uuid"] for content in contents(tmp_path / name).values() if "uuid" in content}
        for name in "ab"
    ]
    assert len(ids[0]) == len(ids[1]) > 10
    assert ids[0] & ids[1] == set()


def test_files_of_an_older_version_are_replaced_or_removed(tmp_path: Path) -> None:
    dashboards.write(tmp_path, "superset", {ARCHIVE: b"older", "folder/gone.yaml": b"older"})
    (tmp_path / "folder" / "mine.txt").write_text("mine")

    assert write(tmp_path).code == 0

    assert zipfile.is_zipfile(tmp_path / ARCHIVE)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("how", ["foreign", "edited", "linked", "folder"])
def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, how: str) -> None:
    target = tmp_path / ARCHIVE
    if how == "foreign":
        target.write_text("mine")
    elif how == "folder":
        target.mkdir()
    else:
        assert write(tmp_path).code == 0
        if how == "edited":
            target.write_bytes(target.read_bytes() + b" ")
        else:
            target.rename(tmp_path / "moved")
            target.symlink_to(tmp_path / "moved")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    ran = write(tmp_path, "other.duckdb")

    assert ran.code == 2
    assert ARCHIVE in ran.err
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert target.is_symlink() == (how == "linked")


def test_a_command_that_was_killed_before_it_noted_its_files_can_be_run_again(tmp_path: Path) -> None:
    assert write(tmp_path).code == 0
    (tmp_path / ".cekura-dashboards.json").unlink()
    (tmp_path / f".{ARCHIVE}.new").write_text("half")

    assert write(tmp_path).code == 0
    assert not (tmp_path / f".{ARCHIVE}.new").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"superset": 1}', '{"superset": {"../mine": "0"}}'])
def test_a_damaged_list_of_files_is_named(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "dashboards"
    folder.mkdir()
    (tmp_path / "mine").write_text("mine")
    (folder / ".cekura-dashboards.json").write_text(content)

    ran = write(folder)

    assert ran.code == 2
    assert ".cekura-dashboards.json is damaged" in ran.err
    assert (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("warehouse", "to", "env", "says"),
    [
        ("what?.duckdb", "out", {}, "question marks"),
        ("warehouse.duckdb", "warehouse.duckdb.d/out", {}, "belongs to the warehouse"),
        ("warehouse.duckdb", "file", {}, "is a file"),
        ("warehouse.duckdb", "", {}, "is not a directory"),
        ("analytics.duckdb", "out", {}, "may not be called"),
    ],
)
def test_what_cannot_be_written_is_refused_with_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warehouse: str, to: str, env: dict[str, str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()

    ran = run("dashboards", "superset", "--to", to, "--warehouse", warehouse, env=env)

    assert ran.code == 2
    assert says in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_engine_is_refused(tmp_path: Path) -> None:
    ran = run("dashboards", "superset", "--to", str(tmp_path / "out"), env={"CEKURA_DESTINATION": "postgres"})

    assert ran.code == 2
    assert "--warehouse" in ran.err
    assert not (tmp_path / "out").exists()
