"""The answers in README and docs/questions.md are those of the demo: every query, and every character of what it prints."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cekura_sync import demo
from cekura_sync.sandbox import Sandbox
from support.harness import Account

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUESTIONS = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
ANSWER = re.compile(r'^\$ cekura-sync query "([^"]*)"\n\n(.*?)^```$', re.MULTILINE | re.DOTALL)
ANSWERS = ANSWER.findall(README) + ANSWER.findall(QUESTIONS)
NOW = datetime(2026, 11, 17, 15, tzinfo=UTC)  # a Tuesday: so was the day of the change a week before


@pytest.fixture(scope="module")
def demo_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """What `cekura-sync demo` would have made on the day on which the documents were written."""
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


@pytest.mark.parametrize(("query", "answer"), ANSWERS, ids=[query[:60] for query, _ in ANSWERS])
def test_a_query_answers_what_the_document_says(demo_warehouse: Account, query: str, answer: str) -> None:
    ran = demo_warehouse.run("query", query)

    assert ran.code == 0, ran.err
    shown = "".join(f"{line.rstrip()}\n" for line in ran.out.splitlines())
    assert answer.strip("\n") == shown.strip("\n")


def test_each_of_the_questions_has_an_answer() -> None:
    assert len(ANSWER.findall(README)) == 3
    assert QUESTIONS.count("**") == 2 * 8
    assert len(ANSWER.findall(QUESTIONS)) >= 8
