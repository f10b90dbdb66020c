"""docs/reference.md is what the program says of itself today."""

import re

from cekura_sync import cli
from cekura_sync.console.exits import ExitCode
from cekura_sync.tables import TABLES
from support.meanings import MEANINGS
from support.reference import FILE, reference


def test_the_reference_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == reference(), (
        "docs/reference.md is stale: run `make reference`."
    )


def test_the_reference_has_every_command_option_exit_code_and_view() -> None:
    text = FILE.read_text(encoding="utf-8")
    views = {path.stem for path in FILE.parents[1].joinpath("sql").glob("*.sql")}

    assert set(re.findall(r"^### ([a-z]+)$", text, re.MULTILINE)) == set(cli.cli.commands)
    assert [int(code) for code in re.findall(r"^\| `(\d+)` \| \w", text, re.MULTILINE)] == list(ExitCode)
    assert set(re.findall(r"^### analytics\.(\w+)$", text, re.MULTILINE)) == views
    assert "`--full-every DUR` | `CEKURA_FULL_EVERY` | `24h` |" in text


def test_every_column_of_our_tables_has_a_meaning() -> None:
    columns = {
        name: {column for column in table.columns if not column.startswith("_")}
        for name, table in TABLES.items()
        if not name.startswith("_")
    }

    assert {name: set(meanings) for name, meanings in MEANINGS.items()} == columns
