"""The README's answers are those of the demo: every query of the section, and every character of what it prints."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cekura_sync import demo
from cekura_sync.sandbox import Sandbox
from support.harness import Account

README = Path(__file__).parents[2] / "README.md"
SECTION = re.compile(r"^## Questions it answers$(.*?)^## ", re.MULTILINE | re.DOTALL)
ANSWER = re.compile(r'^\$ cekura-sync query "(.*?)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
NOW = datetime(2026, 11, 17, 15, tzinfo=UTC)  # a Tuesday: so was the day of the change a week before


def answers() -> list[tuple[str, str]]:
    (section,) = SECTION.findall(README.read_text(encoding="utf-8"))
    return ANSWER.findall(section)


@pytest.fixture(scope="module")
def demo_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """What `cekura-sync demo` would have made on the day on which the README was written."""
    folder = tmp_path_factory.mktemp("demo")
    world = demo.invent(3000, NOW)
    world.clock = lambda: NOW
    changes = folder / "changes.csv"
    changes.write_text(demo.changes_of(world), encoding="utf-8")
    with Sandbox(world) as sandbox:
        account = Account(sandbox, folder / demo.FILE)
        assert account.sync("--changes", str(changes)).code == 0
        demo.go_on(world)
        assert account.sync().code == 0
        yield account


@pytest.mark.parametrize(("query", "answer"), answers(), ids=[query[:60] for query, _ in answers()])
def test_a_query_of_the_readme_answers_what_the_readme_says(
    demo_warehouse: Account, query: str, answer: str
) -> None:
    ran = demo_warehouse.run("query", query)

    assert ran.code == 0, ran.err
    shown = "".join(f"{line.rstrip()}\n" for line in ran.out.splitlines())
    assert answer.strip("\n") == shown.strip("\n")


def test_each_of_the_questions_has_an_answer() -> None:
    (section,) = SECTION.findall(README.read_text(encoding="utf-8"))

    assert section.count("**") == 2 * 8
    assert len(answers()) >= 8
