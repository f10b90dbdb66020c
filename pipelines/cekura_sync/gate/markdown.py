"""A judgement as Markdown, for the summary of a CI step."""

import re

from cekura_sync.console.terminal import plain
from cekura_sync.gate import table
from cekura_sync.gate.judge import Judgement
from cekura_sync.gate.question import Question
from cekura_sync.gate.wording import details, headline

# CommonMark takes a backslash before any of these as the character itself.
_MARKUP = re.compile(r"[\\`*_{}\[\]()<>#+!|~&$^=:-]")


def markdown(judgement: Judgement, question: Question) -> str:
    cells = [[_cell(value) for value in row] for row in table.rows(judgement)]
    lines = [
        f"### cekura-sync gate: {judgement.outcome}",
        "",
        escaped(headline(judgement, question)),
        "",
        *(f"- {escaped(line)}" for line in details(judgement, question)),
        *([""] if details(judgement, question) else []),
        f"| {' | '.join(table.COLUMNS)} |",
        f"|{' --- |' * len(table.COLUMNS)}",
        *(f"| {' | '.join(row)} |" for row in cells),
        "",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """The text without any markup; an @name in it notifies nobody."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", plain(text)).replace("@", "@\N{ZERO WIDTH SPACE}")


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else escaped(str(value))
