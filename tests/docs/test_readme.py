"""README and docs/ against the program, in both directions: what they name exists, and what exists is named."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cekura_sync import cli
from cekura_sync.console.exits import ExitCode

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
}
README = DOCUMENTS["README.md"]
ALL = "\n".join(DOCUMENTS.values())
COMMANDS = cli.cli.commands
VARIABLE = re.compile(r"_?CEKURA_[A-Z_]*[A-Z]")


def table(document: str, title: str, heading: str) -> list[list[str]]:
    """The cells of the table of that section whose heading line begins so."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", DOCUMENTS[document], re.MULTILINE | re.DOTALL)
    assert found, f"{document} has no section '{title}'"
    lines = found[1].splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def options(command: click.Command) -> dict[str, click.Option]:
    return {
        name: option
        for option in command.params
        if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
    }


def long_options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def quoted_commands(text: str) -> Iterator[list[str]]:
    """Every call of ours that a document shows in a block or between backticks."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    blocks = [re.sub(r'("[^"\n]*)\n +([^"]*")', r"\1 \2", block) for block in blocks]  # a query of two lines
    lines = [line for block in blocks for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", text)
    for line in lines:
        call = re.search(r"(?:^|[ (])cekura-sync (?=[a-z-])(.*)", line)
        if call and "[OPTIONS]" not in line:
            yield shlex.split(call[1].rstrip(")"), comments=True)


# -- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_call_that_is_shown_is_one_the_program_understands(document: str) -> None:
    for words in quoted_commands(DOCUMENTS[document]):
        name, *rest = (word for word in words if word not in (">", "|"))
        if name.startswith("-"):
            assert name in ("--help", "--version"), words
            continue
        assert name in COMMANDS, f"{shlex.join(words)}: there is no such command"
        given = {word.partition("=")[0] for word in rest if word.startswith("-")}
        assert given <= options(COMMANDS[name]).keys() | {"--help", "-h"}, shlex.join(words)


def test_the_documents_show_calls_at_all() -> None:
    assert len(list(quoted_commands(README))) > 5


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_option_that_is_named_exists(document: str) -> None:
    exists = {name for command in COMMANDS.values() for name in options(command)} | {"--help", "--version"}

    assert long_options(DOCUMENTS[document]) - exists - _of_other_programs(DOCUMENTS[document]) == set()


def _of_other_programs(text: str) -> set[str]:
    """Options in calls of docker, pip and the like, where the line begins with them."""
    programs = r"(?:cekura|docker|pip|pipx|uv|apt|superset|git|kubectl|python3?|twine|pg_dump|pg_restore)"
    others = re.findall(rf"^\$? *{programs} .*$", text, re.MULTILINE)
    others += re.findall(rf"`{programs} [^`]*`", text)
    # JSON shows how another program is started.
    others += re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return long_options("\n".join(others))


# -- variables --------------------------------------------------------------------------------------------------------


def test_every_variable_that_is_named_is_read_and_every_one_that_is_read_is_named() -> None:
    ours = _variables(ROOT / "pipelines")
    of_tests = {
        name for name in _variables(ROOT / "tests") if name.startswith(("CEKURA_TEST_", "CEKURA_BENCH_"))
    }
    named = set(VARIABLE.findall(ALL))

    assert ours - named == set(), "in no document"
    assert named - ours - of_tests - {"_CEKURA_SYNC_COMPLETE"} == set(), "read by nobody"


def _variables(folder: Path) -> set[str]:
    files = [*folder.rglob("*.py"), *folder.rglob("*.tmpl")]
    return {
        name
        for file in files
        for name in VARIABLE.findall(file.read_text(encoding="utf-8"))
        if "TEST" not in name or "tests" in file.parts
    }


# -- and the rest -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS)
def test_exit_codes_in_the_text_exist(document: str) -> None:
    codes = re.findall(r"\b[Ee]xit(?:s with|s| code)? (\d+)", DOCUMENTS[document])

    assert {int(code) for code in codes} <= {int(code) for code in ExitCode}


def test_every_make_target_that_is_named_exists_and_every_target_is_named() -> None:
    named = set(re.findall(r"(?:`|\$ |… )make ([a-z-]+)", ALL))
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert named - targets == set()
    assert targets - named - {"help"} == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_is_named_exists(document: str) -> None:
    named = re.findall(
        r"`((?:pipelines|sql|tests|docs|\.ci|\.github)/[\w./-]*|[\w-]+\.(?:md|toml))`", DOCUMENTS[document]
    )

    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_view_that_the_readme_names_exists_and_every_document_is_linked() -> None:
    views = [
        name
        for row in table("README.md", "What is in the warehouse", "view")
        for name in re.findall(r"`(\w+)`", row[0])
    ]

    assert [view for view in views if not (ROOT / "sql" / f"{view}.sql").exists()] == []
    assert [name for name in DOCUMENTS if name != "README.md" and f"({name})" not in README] == []


def test_the_kinds_of_schedule_are_all_there() -> None:
    kinds = [row[0].strip("`") for row in table("docs/operations.md", "Run it on a schedule", "kind")]

    argument = COMMANDS["schedule"].params[0].type
    assert isinstance(argument, click.Choice)
    assert kinds == list(argument.choices)


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", DOCUMENTS[document]):
        path, _, anchor = link.partition("#")
        target = ((ROOT / document).parent / path).resolve() if path else ROOT / document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_the_readme_is_read_in_three_minutes() -> None:
    assert len(README.splitlines()) <= 180
    assert len(README.encode()) <= 12_000


def test_the_image_is_built_under_the_name_that_the_printed_files_ask_for() -> None:
    built = re.findall(r"`docker build --tag (\S+:\d+\.\d+\.\d+) \.`", ALL)

    assert set(built) == {options(COMMANDS["schedule"])["--image"].default}


def test_the_tests_begin_without_what_make_destinations_installs() -> None:
    """A module that imports such a package at its top cannot even be collected in a fresh clone."""
    needs = re.compile(
        r"(chdb|dagster\w*|deltalake|polars|psycopg2|pyiceberg|cekura_sync\.warehouse\.postgres)\b"
    )
    for path in sorted(ROOT.glob("tests/**/*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if needs.match(name)], f"{path}, line {node.lineno}"
