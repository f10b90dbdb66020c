"""The README against the program, in both directions: what it names exists, and what exists it names."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cekura_sync import cli
from cekura_sync.console.exits import ExitCode

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = cli.cli.commands
VARIABLE = re.compile(r"_?CEKURA_[A-Z_]*[A-Z]")


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, f"the README has no section '{title}'"
    return found[1]


def table(title: str, heading: str) -> list[list[str]]:
    """The cells of the table of that section whose heading line begins so."""
    lines = section(title).splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def options(command: click.Command) -> dict[str, click.Option]:
    return {
        name: option for option in command.params if isinstance(option, click.Option) for name in option.opts
    }


def long_options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def quoted_commands() -> Iterator[list[str]]:
    """Every call of ours that the README shows in a block or between backticks."""
    blocks = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    blocks = [re.sub(r'("[^"\n]*)\n +([^"]*")', r"\1 \2", block) for block in blocks]  # a query of two lines
    lines = [line for block in blocks for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", README)
    for line in lines:
        call = re.search(r"(?:^|[ (])cekura-sync (?=[a-z-])(.*)", line)
        if call:
            yield shlex.split(call[1].rstrip(")"), comments=True)


# -- commands ---------------------------------------------------------------------------------------------------------


def test_the_table_of_commands_names_every_command_and_no_other() -> None:
    named = [re.match(r"`([a-z]+)", row[0]) for row in table("Commands", "command")]

    assert sorted(match[1] for match in named if match) == sorted(COMMANDS)
    assert all(named)


def test_every_call_that_is_shown_is_one_the_program_understands() -> None:
    calls = list(quoted_commands())
    assert len(calls) > 5

    for words in calls:
        name, *rest = (word for word in words if word not in (">", "|"))
        if name.startswith("-"):
            assert name in ("--help", "--version"), words
            continue
        assert name in COMMANDS, f"{shlex.join(words)}: there is no such command"
        given = {word.partition("=")[0] for word in rest if word.startswith("-")}
        assert given <= options(COMMANDS[name]).keys() | {"--help", "-h"}, shlex.join(words)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_of_every_command_is_named(name: str) -> None:
    """Those of `sync` have a table of their own; the others stand in their command's row."""
    rows = {re.split(r"[` ]", row[0])[1]: " ".join(row) for row in table("Commands", "command")}
    known = {option for option in options(COMMANDS[name]) if option.startswith("--")}
    of_sync = options(COMMANDS["sync"]).keys() | {"--warehouse"}

    missing = known - of_sync - long_options(rows[name])
    assert not missing, f"{name}: {missing}"


def test_every_option_that_is_named_exists() -> None:
    exists = {name for command in COMMANDS.values() for name in options(command)} | {"--help", "--version"}

    assert long_options(README) - exists - _of_other_programs() == set()


def _of_other_programs() -> set[str]:
    """Options in calls of docker, pip and the like, where the line begins with them."""
    others = re.findall(r"^\$? *(?:docker|pip|uv|apt|superset|git|kubectl) .*$", README, re.MULTILINE)
    others += re.findall(r"`(?:docker|pip|uv|apt|superset|git|kubectl) [^`]*`", README)
    return long_options("\n".join(others))


@pytest.mark.parametrize("row", table("Commands", "command"), ids=lambda row: row[0])
def test_a_commands_row_names_only_options_of_its_own(row: list[str]) -> None:
    name = re.split(r"[` ]", row[0])[1]

    assert long_options(" ".join(row)) <= options(COMMANDS[name]).keys()


# -- settings ---------------------------------------------------------------------------------------------------------


def settings_table() -> list[list[str]]:
    return table("Settings", "option of `sync`")


def test_the_table_of_settings_has_a_row_for_every_option_of_sync_and_no_other() -> None:
    named = [name for row in settings_table() for name in re.findall(r"`(-[a-z-]+)`", row[0])]
    known = {name for name in options(COMMANDS["sync"]) if name != "--help"}

    assert len(named) == len(set(named))
    assert set(named) == known


def test_the_table_of_settings_names_the_variables_and_defaults_that_help_names() -> None:
    of_sync = options(COMMANDS["sync"])
    for row in settings_table():
        for name in re.findall(r"`(--[a-z-]+)`", row[0]):
            option = of_sync[name]
            assert set(VARIABLE.findall(row[1])) == variable(option), name
            assert row[2].replace("`", "") in default(option), name


def variable(option: click.Option) -> set[str]:
    """From click, or from the help of an option whose value the settings look up."""
    return {str(option.envvar)} if option.envvar else set(re.findall(r"env var: (\w+)", option.help or ""))


def default(option: click.Option) -> tuple[str, ...]:
    told = re.search(r"default: ([^\]]+)\]", option.help or "")
    if told:
        return (told[1],)
    return (str(option.default),) if option.show_default else ("–", "off")


def test_every_variable_that_is_named_is_read_and_every_one_that_is_read_is_named() -> None:
    ours = _variables(ROOT / "pipelines")
    of_tests = {name for name in _variables(ROOT / "tests") if name.startswith("CEKURA_TEST_")}
    named = set(VARIABLE.findall(README))

    assert ours - named == set(), "not in the README"
    assert named - ours - of_tests - {"_CEKURA_SYNC_COMPLETE"} == set(), "read by nobody"


def _variables(folder: Path) -> set[str]:
    files = [*folder.rglob("*.py"), *folder.rglob("*.tmpl")]
    return {
        name
        for file in files
        for name in VARIABLE.findall(file.read_text(encoding="utf-8"))
        if "TEST" not in name or "tests" in file.parts
    }


# -- exit codes -------------------------------------------------------------------------------------------------------


def test_the_table_of_exit_codes_has_each_code_once() -> None:
    named = [int(code) for row in table("Exit codes", "exit") for code in row[0].split(",")]

    assert named == [int(code) for code in ExitCode]


def test_exit_codes_in_the_text_exist() -> None:
    codes = re.findall(r"\b[Ee]xit(?: code)? (\d+)", README)

    assert {int(code) for code in codes} <= {int(code) for code in ExitCode}


# -- and the rest -----------------------------------------------------------------------------------------------------


def test_every_make_target_that_is_named_exists_and_every_target_is_named() -> None:
    named = set(re.findall(r"(?:`|\$ |… )make ([a-z]+)", README))
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert named - targets == set()
    assert targets - named - {"help"} == set()


def test_every_file_that_is_named_exists() -> None:
    named = re.findall(r"`((?:pipelines|sql|tests|\.ci)/[\w./-]*|[\w-]+\.(?:md|toml))`", README)

    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_view_that_is_named_exists_and_the_kinds_of_schedule_are_all_there() -> None:
    views = [name for row in table("What is in it", "view") for name in re.findall(r"`(\w+)`", row[0])]
    kinds = [row[0].strip("`") for row in table("Run it on a schedule", "kind")]

    assert [view for view in views if not (ROOT / "sql" / f"{view}.sql").exists()] == []
    argument = COMMANDS["schedule"].params[0].type
    assert isinstance(argument, click.Choice)
    assert kinds == list(argument.choices)


def test_links_within_the_readme_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors


def test_the_image_is_built_under_the_name_that_the_printed_files_ask_for() -> None:
    (built,) = re.findall(r"`docker build --tag (\S+) \.`", README)

    assert built == options(COMMANDS["schedule"])["--image"].default
