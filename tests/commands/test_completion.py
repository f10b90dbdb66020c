"""Completion of the command line, in the shells themselves."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cekura_sync import cli
from support.harness import PATIENCE

COMMANDS = set(cli.cli.commands)
FULL = {"--full", "--full-every"}
PROMPT = "what next> "


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home of its own, and the installed command on the path."""
    (tmp_path / "warehouse-of-mine.duckdb").touch()
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return {"HOME": str(tmp_path), "PATH": path, "TERM": "dumb", "LC_ALL": "C.UTF-8"}


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed here")


def script(shell: str, environment: dict[str, str]) -> str:
    """What the README says to put into the shell's start-up file."""
    ran = subprocess.run(
        ["cekura-sync"],  # noqa: S607
        env=environment | {"_CEKURA_SYNC_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def output(command: list[str], environment: dict[str, str]) -> str:
    ran = subprocess.run(
        command,
        env=environment,
        cwd=environment["HOME"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def bash(environment: dict[str, str], *words: str) -> set[str]:
    program = f"""{script("bash", environment)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); $(complete -p cekura-sync | grep -o '_[a-z_]*completion') "$1"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    return set(output(["bash", "-c", program, "bash", *words], environment).split())


@needs("bash")
def test_bash_completes_commands_and_options(environment: dict[str, str]) -> None:
    assert bash(environment, "cekura-sync", "") == COMMANDS
    assert bash(environment, "cekura-sync", "sync", "--full") == FULL
    assert bash(environment, "cekura-sync", "schedule", "k") == {"kubernetes"}


@needs("fish")
def test_fish_completes_commands_options_and_files(environment: dict[str, str]) -> None:
    def fish(line: str) -> set[str]:
        program = f"{script('fish', environment)}\ncomplete -C {line!r}"
        found = output(["fish", "--no-config", "-c", program], environment).splitlines()
        return {completion.split("\t")[0] for completion in found}

    assert fish("cekura-sync ") == COMMANDS
    assert fish("cekura-sync sync --full") == FULL
    assert "warehouse-of-mine.duckdb" in fish("cekura-sync status --warehouse warehouse-of")


@needs("zsh")
def test_zsh_completes_commands_options_and_files(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".zshrc").write_text(
        f"PS1='{PROMPT}'\nautoload -Uz compinit && compinit -u\n{script('zsh', environment)}\n"
    )

    typed = {
        "cekura-sync stat\t": "us",
        "--warehouse warehouse-of\t": "-mine.duckdb",
        "\n": PROMPT,
    }
    said = at_a_prompt(["zsh", "-i"], environment, typed)

    assert f"last sync of {tmp_path}" not in said
    assert "has no record of its syncs" in " ".join(said.split()), said
    assert str(tmp_path / "warehouse-of-mine.duckdb") in re.sub(r"\s", "", said)


def at_a_prompt(command: list[str], environment: dict[str, str], typed: dict[str, str]) -> str:
    """What the shell shows while somebody types; each text is followed by what has to appear before the next."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(environment["HOME"])
        os.execvpe(command[0], command, environment)  # noqa: S606
    try:
        said = until(terminal, PROMPT)
        for text, expected in typed.items():
            os.write(terminal, text.encode())
            said += until(terminal, expected)
    finally:
        os.write(terminal, b"\x03\x04")
        os.close(terminal)
        os.waitpid(pid, 0)
    return said


def until(terminal: int, expected: str) -> str:
    """What appears until the text is there; fails when nothing more comes, and when the shell beeps: it has nothing to offer."""
    said = ""
    while expected not in said:
        assert "\a" not in said, said
        assert select.select([terminal], [], [], PATIENCE)[0], said
        said += os.read(terminal, 65536).decode(errors="replace")
    return said


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ('query "select * from stuck', "select * from stuck_results"),
        ('query "select * from analytics.stuck', "select * from analytics.stuck_results"),
        ("views stuck", "stuck_results"),
    ],
)
def test_names_of_views_are_completed_at_the_end_of_a_query(
    environment: dict[str, str], words: str, offered: str
) -> None:
    asked = {
        "COMP_WORDS": f"cekura-sync {words}",
        "COMP_CWORD": "2",
        "_CEKURA_SYNC_COMPLETE": "bash_complete",
    }

    assert output(["cekura-sync"], environment | asked) == f"plain,{offered}\n"


def test_an_unknown_shell_is_refused_quietly(environment: dict[str, str]) -> None:
    """A start-up file with a mistake must not start a sync."""
    ran = subprocess.run(
        ["cekura-sync", "sync"],  # noqa: S607
        env=environment | {"_CEKURA_SYNC_COMPLETE": "csh_source"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert (ran.stdout, ran.stderr) == ("", "")
