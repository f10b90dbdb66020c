"""Reads the words of a SQL file without running it: what is a comment or a text, and what the comments say of the columns."""

import re
from collections.abc import Iterator

_LINE, _BLOCK = r"--[^\n]*", r"/\*(?s:.*?)\*/"
_TEXT = r"(?<!\w)[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|(?P<dollar>\$(?:[^\W\d]\w*)?\$)(?s:.*?)(?P=dollar)"
_QUOTED = r'"(?:[^"]|"")*"'
# What may hold a bracket, a comma or a name that is not code.
NOT_CODE = rf"{_LINE}|{_BLOCK}|{_TEXT}|{_QUOTED}"
_COMMENT_OR_TEXT = re.compile(rf"{_LINE}|{_BLOCK}|{_TEXT}|(?P<quoted>{_QUOTED})")
_WORD = re.compile(
    rf"(?P<comment>{_LINE})|(?P<block>{_BLOCK})|(?P<text>{_TEXT})|(?P<name>{_QUOTED}|[^\W\d]\w*)|(?P<other>\d\w*|\S)"
)
_OPENING, _CLOSING = ("(", "[", "{", "case"), (")", "]", "}", "end")
_AFTER_THE_COLUMNS = [
    "from",
    "where",
    "group",
    "having",
    "window",
    "qualify",
    "order",
    "limit",
    "union",
    "intersect",
    "except",
]
_BEFORE_A_NAME = ("as", ".", "distinct")  # `as order` is a name, and `is distinct from` an operator


def code(sql: str) -> str:
    """Without comments and texts."""
    return _COMMENT_OR_TEXT.sub(lambda found: found["quoted"] or " ", sql)


def column_comments(sql: str) -> dict[str, str]:
    """What stands behind each column of the select, on the column's last line. A comment inside of an expression is nobody's."""
    said: dict[str, str] = {}
    # The last word if it can be a column's name, whether a comma follows, and where that ends.
    name, ended, end = "", False, 0
    waiting = ""  # a comment before the comma, or before the rest of an expression
    for word, depth in _columns(sql):
        if word["comment"]:
            if name and "\n" not in sql[end : word.start()]:
                waiting = waiting or word["comment"].removeprefix("--").strip()
        elif depth == 0 and word[0] in (",", ";"):
            ended, end = True, word.end()
        else:
            if ended and waiting:
                said.setdefault(name, waiting)
            is_name = depth == 0 and word["name"] and word[0].lower() not in _CLOSING
            name, ended, end, waiting = word[0] if is_name else "", False, word.end(), ""
    if waiting:
        said.setdefault(name, waiting)
    return {_unquoted(column): comment for column, comment in said.items()}


def _columns(sql: str) -> Iterator[tuple[re.Match[str], int]]:
    """The words between the first `select` outside of all brackets and what follows its columns, and how many brackets are around each."""
    depth, inside, before = 0, False, ""
    for word in _WORD.finditer(sql):
        if word["block"]:
            continue
        lower = word[0].lower()
        is_keyword = depth == 0 and before not in _BEFORE_A_NAME
        if inside and is_keyword and lower in _AFTER_THE_COLUMNS:
            return
        depth -= lower in _CLOSING
        if inside:
            yield word, depth
        depth += lower in _OPENING
        inside = inside or (is_keyword and lower == "select")
        before = before if word["comment"] else lower


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
