"""`demo`: it takes the place of an earlier demo, and of nothing else."""

import shutil
from pathlib import Path

import pytest

from support.harness import Ran, run


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def demo() -> Ran:
    return run("demo", "--results", "20", env={})


def test_the_demo_replaces_what_an_earlier_one_made_and_leaves_nothing_else_behind(tmp_path: Path) -> None:
    assert demo().code == 0
    before = (tmp_path / "demo.duckdb").stat().st_ino

    again = demo()

    assert (again.code, "20 inserted" in again.out) == (0, True)
    assert (tmp_path / "demo.duckdb").stat().st_ino != before
    assert {file.name for file in tmp_path.iterdir()} == {"demo.duckdb", "demo.duckdb.d", "demo.html"}

    shutil.rmtree(tmp_path / "demo.duckdb.d")
    assert demo().code == 2, "whose it was can no longer be told"


@pytest.mark.parametrize("name", ["demo.duckdb", "demo.html"])
def test_somebody_elses_file_of_that_name_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<html>mine</html>")

    ran = demo()

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"cekura-sync: The {name} in this directory was not made by the demo: ")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(name, b"<html>mine</html>")]
