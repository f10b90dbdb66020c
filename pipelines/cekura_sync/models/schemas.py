"""The name of a schema as somebody gives it: parts with dots between them, each quoted where its engine needs that."""

import re

from sqlglot import exp

from cekura_sync.errors import SettingsError

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = r'"(?:[^"]|"")+"|[^".]+'  # one that is quoted already stays so
_NAME = re.compile(rf"(?:{_PART})(?:\.(?:{_PART}))?")
# Words that some engine takes for its own without quotes.
_RESERVED_WORDS = """
    all analyse analyze and any array as asc asymmetric authorization between binary both by case cast check collate
    collation column concurrently constraint create cross cube current current_catalog current_date current_role
    current_schema current_time current_timestamp current_user database default deferrable delete desc describe distinct
    do drop else end escape except exclude exists false fetch following for foreign freeze from full function grant group
    grouping groups having if ignore ilike in initially inner insert intersect interval into is isnull join lambda lateral
    leading left like limit local localtime localtimestamp lookup match_recognize merge minus natural new no not notnull
    null nulls of off offset old on only or order outer over overlaps partition pivot placing preceding primary proto
    qualify range recursive references respect returning revoke right rlike rollup row rows sample schema select
    session_user set similar some start struct summarize symmetric table tablesample tag then to top trailing treat
    trigger true try_cast unbounded union unique unnest unpivot update user using values variadic verbose view when where
    whenever window with within
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())


def require(option: str, name: str, engine: str, *, created: bool = False) -> None:
    """Raises SettingsError for what is the name of no schema. `created`: the script makes it."""
    parts = _parts(name) if _NAME.fullmatch(name) else []
    if not parts or not all(_is_sound(part.name) for part in parts):
        raise SettingsError(
            f"{option} {name!r} is not the name of a schema: write it as in analytics or catalog.analytics, without `, backslashes and line breaks."
        )
    if created and len(parts) > 1 and engine in ("postgres", "redshift", "clickhouse"):
        raise SettingsError(
            f'{option} {name} is a name in two parts, and {engine} makes no schema in a catalog: write one part, or "{name}" in quotes if the dot belongs to it.'
        )


def of(name: str, relation: str) -> exp.Table:
    """The relation in the schema."""
    schema, *catalog = reversed(_parts(name))
    return exp.Table(this=_identifier(relation), db=schema, catalog=catalog[0] if catalog else None)


def written(name: str, engine: str) -> str:
    """The schema itself."""
    schema, *catalog = reversed(_parts(name))
    return exp.Table(this=schema, db=catalog[0] if catalog else None).sql(engine)


def before(name: str, relation: str) -> exp.Table:
    """The relation with the schema as a part of its own name."""
    parts = [part.name.replace(".", "_") for part in _parts(name)]
    return exp.Table(this=_identifier("_".join([*parts, relation])))


def _parts(name: str) -> list[exp.Identifier]:
    return [_identifier(part) for part in re.findall(_PART, name)]


def _identifier(part: str) -> exp.Identifier:
    if part.startswith('"'):
        return exp.to_identifier(part[1:-1].replace('""', '"'), quoted=True)
    return exp.to_identifier(part, quoted=not _PLAIN.fullmatch(part) or part.lower() in _RESERVED)


def _is_sound(part: str) -> bool:
    return part.isprintable() and part == part.strip() and not {"`", "\\"} & {*part}
