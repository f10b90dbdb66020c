"""The answers that README and docs/ print, and what the demo's data answers today. `make reference` writes them anew."""

import contextlib
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cekura_sync import demo
from cekura_sync.sandbox import Sandbox
from support.harness import Account

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
ANSWER = re.compile(r'(?<=^\$ cekura-sync query ")([^"]*)"\n\n(.*?)(?=^```$)', re.MULTILINE | re.DOTALL)
GATE = re.compile(
    r"(?<=^\$ cekura-sync gate )(--agent-id \d+ --last \d+)\n\n(.*?)(?=^```$)", re.MULTILINE | re.DOTALL
)
DEMO = re.compile(r"(?<=^\$ make demo\n…\n)(.*?)(?=^…$)", re.MULTILINE | re.DOTALL)
NOW = datetime(2026, 11, 17, 15, tzinfo=UTC)  # a Tuesday: so was the day of the change a week before


@contextlib.contextmanager
def demo_warehouse() -> Iterator[Account]:
    """What `cekura-sync demo` would have made on the day on which the documents were written."""
    world = demo.invent(3000, NOW)
    world.clock = lambda: NOW
    with tempfile.TemporaryDirectory() as folder, Sandbox(world) as sandbox:
        changes = Path(folder, "changes.csv")
        changes.write_text(demo.changes_of(world), encoding="utf-8")
        account = Account(sandbox, Path(folder, demo.FILE))
        assert account.sync("--changes", str(changes)).code == 0
        demo.go_on(world)
        assert account.sync().code == 0
        yield account


def answer(account: Account, query: str) -> str:
    """What `cekura-sync query` prints, without blanks around it and at the ends of its lines."""
    ran = account.run("query", query)
    assert ran.code == 0, ran.err
    return _trimmed(ran.out)


def judgement(account: Account, options: str) -> str:
    """What `cekura-sync gate` prints about a warehouse that has just been synced."""
    ran = account.run("gate", "--no-sync", *options.split())
    assert ran.code == 11, ran.err
    return _trimmed(ran.out) + _trimmed(ran.err)


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n") + "\n"


def first_demo_query() -> str:
    """That of the first table that the demo prints."""
    return next(iter(demo.VIEWS.values()))


def answered(text: str, account: Account) -> str:
    """The document with today's answers in it."""
    text = ANSWER.sub(lambda found: f'{found[1]}"\n\n{answer(account, found[1])}', text)
    text = GATE.sub(lambda found: f"{found[1]}\n\n{judgement(account, found[1])}", text)
    return DEMO.sub(lambda _: answer(account, first_demo_query()), text)


if __name__ == "__main__":
    with demo_warehouse() as made:
        for document in DOCUMENTS:
            document.write_text(answered(document.read_text(encoding="utf-8"), made), encoding="utf-8")
