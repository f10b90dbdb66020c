"""What a release consists of: the workflow, the versions of Python, the changelog."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cekura_sync import __version__
from cekura_sync.doctor.machine import TESTED
from support.harness import PATIENCE

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = [
    name.rpartition(" ")[2] for name in PROJECT["classifiers"] if name.startswith("Programming Language")
]


def test_the_workflow_runs_what_a_developer_runs_with_every_python_that_is_declared() -> None:
    text = (WORKFLOWS / "ci.yml").read_text()

    (matrix,) = re.findall(r"python: \[(.*)\]", text)
    assert re.findall(r'"([\d.]+)"', matrix) == PYTHONS
    assert "- run: .ci/run\n" in text
    assert "- run: make dist\n" in text


def test_what_every_push_leaves_out_runs_once_a_week() -> None:
    text = (WORKFLOWS / "weekly.yml").read_text()

    assert "CEKURA_TEST_LONG: 1\n" in text
    assert "- run: .ci/run\n" in text


def test_the_workflows_are_such_that_github_accepts() -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    if not checker.exists():
        pytest.skip("check-jsonschema is not installed here")
    ran = subprocess.run(
        [checker, "--builtin-schema", "vendor.github-workflows", *WORKFLOWS.glob("*.yml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_documents_name_the_versions_of_python_that_are_declared() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        spans = re.findall(r"3\.\d+ to 3\.\d+", (ROOT / name).read_text(encoding="utf-8"))
        assert set(spans) == {f"{PYTHONS[0]} to {PYTHONS[-1]}"}, name


def test_doctor_knows_the_versions_of_python_that_are_declared() -> None:
    assert [".".join(map(str, version)) for version in TESTED] == [PYTHONS[0], PYTHONS[-1]]


def test_the_changelog_has_a_dated_section_for_this_version_below_the_unreleased_one() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(__version__)} \(\d{{4}}-\d\d-\d\d\)", headings[1])


def test_every_package_that_the_project_names_is_pinned() -> None:
    extras = [name for names in PROJECT["optional-dependencies"].values() for name in names]
    named = {
        re.split(r"[<>=\[]", name)[0].lower()
        for name in [*PROJECT["dependencies"], *extras, "build", "twine"]
    }
    pins = (ROOT / ".ci" / "constraints.txt").read_text()

    pinned = {name.lower().replace("_", "-") for name in re.findall(r"^([\w.-]+)==", pins, re.MULTILINE)}
    assert named - pinned == set()
