"""The Dockerfile, as far as it can be held to its word without a Docker daemon."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from support.harness import PATIENCE, run

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = [
    tuple(line.split(maxsplit=1))
    for line in re.sub(r"\s*\\\n\s*", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
    if line
]


def arguments(instruction: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def copied() -> list[str]:
    """What the build takes from the checkout."""
    sources = [words.split()[:-1] for words in arguments("COPY") if not words.startswith("--from")]
    return [source for line in sources for source in line]


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists() and not shutil.which("hadolint"):
        pytest.skip("hadolint is not installed here")
    ran = subprocess.run(
        [hadolint if hadolint.exists() else "hadolint", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


def test_what_is_copied_exists_and_is_let_through_and_nothing_else_is() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in lines if line.startswith("!")}

    assert "*" in lines
    assert set(copied()) == let_through
    for source in copied():
        assert (ROOT / source).exists(), source


def test_what_the_package_is_built_from_is_copied() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    project = settings["project"]

    for path in (project["readme"], *project["license-files"], *wheel["packages"], *wheel["force-include"]):
        assert any(path == source or path.startswith(f"{source}/") for source in copied()), path


def test_it_runs_as_nobody_in_particular_and_holds_no_key() -> None:
    assert arguments("USER") == ["10001:10001"]
    assert INSTRUCTIONS.index(("USER", "10001:10001")) > max(
        at for at, (name, _) in enumerate(INSTRUCTIONS) if name == "RUN"
    )
    assert "CEKURA_API_KEY" not in " ".join(rest for _, rest in INSTRUCTIONS)
    assert all(fnmatch(image.split()[0], "python:*-slim") for image in arguments("FROM"))


def test_its_command_and_its_health_check_are_commands_of_ours() -> None:
    entry, command = json.loads(arguments("ENTRYPOINT")[0]), json.loads(arguments("CMD")[0])
    health = json.loads(arguments("HEALTHCHECK")[0].partition("CMD ")[2])

    assert entry == health[:1] == ["cekura-sync"]
    assert run(*command, "--help", env={}).code == 0
    assert run(*health[1:], env={"CEKURA_WAREHOUSE": "/nonexistent/warehouse.duckdb"}).code == 10
