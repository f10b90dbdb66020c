"""CSV as spreadsheets want it: marked as UTF-8, and no text that they would take for a formula."""

import re

BYTE_ORDER_MARK = "\N{BYTE ORDER MARK}"  # without it Excel takes UTF-8 for the code page of the machine
# What a spreadsheet may skip on its way to a formula, then what it takes for the beginning of one, also in full width.
_SKIPPED = "[\\s\\x00-\\x1f\\x7f\u00a0\u200b-\u200f\u2028-\u202e\u2060-\u2069\u3000\ufeff]*"
_FORMULA = f"^{_SKIPPED}[=+@＝＋－＠-]|^[\t\r\n]"
_NUMBERS_AND_TIMES = re.compile(
    r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL.*|FLOAT|DOUBLE|BOOLEAN|DATE|TIME.*"
)


def may_be_formula(kind: str) -> bool:
    """A number or a time is never one, whatever sign it begins with. `kind` is a type of DuckDB's."""
    return not _NUMBERS_AND_TIMES.fullmatch(kind)


def harmless(text: str) -> str:
    """SQL for the text of this expression, after an apostrophe where it looks like a formula."""
    return f"case when regexp_matches({text}, '{_FORMULA}') then '''' || {text} else {text} end"


def harmless_heading(heading: str) -> str:
    """The headings of a pivot come from the data too."""
    return f"'{heading}" if re.search(_FORMULA, heading, re.ASCII) else heading
