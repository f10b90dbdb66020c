"""The functions of sql/functions/: a call such as `wilson_low(passed_runs, decided_runs)` becomes the formula itself.

A function of one value is the final column of its file, with the columns of its `example` as parameters. A function of a whole
relation, called as in `from compared(runs)`, is everything after its `example`, which stands for that relation.

A view must not depend on a macro: readers attach the file under any name, and other engines have no DuckDB macros.
"""

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from cekura_sync.errors import ModelError
from cekura_sync.models.words import NOT_CODE

COMMENT = re.compile(r"--.*")
BRACKETS = re.compile(rf"{NOT_CODE}|[(),]")
# A function that calls another hands on what has its type already.
TWICE = re.compile(r"cast\((cast\([\w.]+ as (\w+)\)) as \2\)")
FORM = re.compile(r"\s*(?:with example as \((?P<example>.*?)\n\)(?P<more>,?)\s*)?(?P<rest>.*)", re.DOTALL)
PART = re.compile(r"^(?:with )?(\w+) as \($", re.MULTILINE)
PARAMETER = re.compile(r"cast\([^()]+ as (\w+)\) as (\w+)")


@dataclass(frozen=True)
class Function:
    """A file of sql/functions/."""

    name: str
    formula: str
    parameters: dict[str, str | None]  # name to type; a relation has none

    def applied_to(self, arguments: list[str]) -> str:
        """Raises ModelError for a wrong number of arguments."""
        if len(arguments) != len(self.parameters):
            raise ModelError(
                f"{self.name} takes {len(self.parameters)} arguments ({', '.join(self.parameters)}), not {len(arguments)}: fix the call."
            )
        values = {
            name: f"cast({argument} as {kind})" if kind else argument
            for (name, kind), argument in zip(self.parameters.items(), arguments, strict=True)
        }
        words = re.compile(rf"{NOT_CODE}|\b\w+")
        written = words.sub(lambda word: values.get(word[0], word[0]), self.formula)
        return "(" + TWICE.sub(r"\1", written) + ")"


@cache
def read(folder: Path) -> dict[str, Function]:
    """Every function of this folder by its name. Raises ModelError for a file of another form."""
    functions = {path.stem: _parsed(path) for path in sorted(folder.glob("*.sql"))}
    return {
        name: replace(function, formula=expand(function.formula, functions))
        for name, function in functions.items()
    }


@cache
def written_out(sql: str, folder: Path) -> str:
    """`expand` with the functions of this folder; a sync asks for the same queries several times."""
    return expand(sql, read(folder))


def expand(sql: str, functions: dict[str, Function]) -> str:
    """The query with each call of a function replaced by its formula. Raises ModelError for a call that is not complete."""
    calls = re.compile(rf"{NOT_CODE}|\b(?P<function>{'|'.join(functions) or '(?!)'})\(")
    parts, end = [], 0
    while call := calls.search(sql, end):
        parts.append(sql[end : call.start()])
        end = call.end()
        if call["function"]:
            arguments, end = _arguments(sql, call)
            parts.append(expand(functions[call["function"]].applied_to(arguments), functions))
        else:
            parts.append(call[0])
    return "".join([*parts, sql[end:]])


def _parsed(path: Path) -> Function:
    form = FORM.fullmatch(COMMENT.sub("", path.read_text(encoding="utf-8")))
    example, more, rest = form.group("example", "more", "rest") if form else (None, None, "")
    value = re.fullmatch(rf"select\s+(.*?)\s+as {path.stem}\s*(?:from example\s*)?", rest, re.DOTALL)
    if value:
        return Function(path.stem, value[1], {name: kind for kind, name in PARAMETER.findall(example or "")})
    if example:
        return Function(
            path.stem, _with_own_names(path.stem, f"{'with ' if more else ''}{rest}"), {"example": None}
        )
    raise ModelError(
        f"{path} is not a function: it must be `select … as {path.stem}`, or select from a first part named example."
    )


def _with_own_names(function: str, formula: str) -> str:
    """The formula, with names for its parts that no view uses: before 1.4, DuckDB takes a part of a view for one of the same name."""
    parts = "|".join(PART.findall(formula)) or "(?!)"
    uses = rf"{NOT_CODE}|\b(?:{parts})(?= as \(\n)|(?<=\bfrom )(?:{parts})\b|(?<=\bjoin )(?:{parts})\b|(?<![\w.])(?:{parts})(?=\.)"
    return re.sub(uses, lambda use: use[0] if use[0].startswith("'") else f"{function}_{use[0]}", formula)


def _arguments(sql: str, call: re.Match[str]) -> tuple[list[str], int]:
    """The arguments of the call, and where it ends."""
    arguments, begin, depth = [], call.end(), 1
    for bracket in BRACKETS.finditer(sql, call.end()):
        depth += {"(": 1, ")": -1}.get(bracket[0], 0)
        if depth == 0 or (depth == 1 and bracket[0] == ","):
            arguments.append(sql[begin : bracket.start()].strip())
            begin = bracket.end()
        if depth == 0:
            return [one for one in arguments if one], begin
    raise ModelError(f"The call {call[0]}… has no closing bracket: add it.")
