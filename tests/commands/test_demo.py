"""`demo`: it takes the place of an earlier demo, and of nothing else."""

import os
import shutil
from pathlib import Path

import pytest

from support.harness import Ran, run


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def demo() -> Ran:
    return run("demo", "--results", "20", env={})


@pytest.mark.long
def test_the_demo_replaces_what_an_earlier_one_made_and_leaves_nothing_else_behind(tmp_path: Path) -> None:
    assert demo().code == 0
    with (tmp_path / "demo.duckdb").open("rb") as earlier:  # while it is open no other file gets its number
        again = demo()
        assert not os.path.samestat(os.fstat(earlier.fileno()), (tmp_path / "demo.duckdb").stat())

    assert (again.code, "20 inserted" in again.out, "/demo.html: " in again.out) == (0, True, True)
    assert {file.name for file in tmp_path.iterdir()} == {"demo.duckdb", "demo.duckdb.d", "demo.html"}

    (tmp_path / "demo.html").write_text("changed")
    assert demo().code == 2
    (tmp_path / "demo.html").unlink()
    shutil.rmtree(tmp_path / "demo.duckdb.d")
    assert demo().code == 2, "whose it was can no longer be told"


@pytest.mark.parametrize("name", ["demo.duckdb", "demo.html", "demo.duckdb.d/mine"])
def test_somebody_elses_file_of_that_name_is_left_alone(tmp_path: Path, name: str) -> None:
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_bytes(b"<html>mine</html>")

    ran = demo()

    assert (ran.code, ran.out, "move it away" in ran.err) == (2, "", True)
    assert ran.err.startswith(
        f"cekura-sync: The {name.split('/')[0]} in this directory was not made by the demo: "
    )
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [mine]
    assert mine.read_bytes() == b"<html>mine</html>"
