"""The settings of a sync: option, else environment, else the vendor CLI's file, else default."""

import errno
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cekura_sync.errors import SettingsError
from cekura_sync.settings import login, vendor
from cekura_sync.settings.addresses import API_URL as API_URL
from cekura_sync.settings.addresses import check_url
from cekura_sync.settings.durations import above_zero
from cekura_sync.settings.durations import baseline as baseline
from cekura_sync.settings.durations import duration as duration
from cekura_sync.settings.durations import interval as interval
from cekura_sync.settings.texts import require_utf8_path

API_VERSION = "v1"
API_VERSIONS = ("v1", "v2")
WAREHOUSE = "warehouse.duckdb"
FULL_EVERY = LOOKBACK = "24h"
DAY = timedelta(hours=24)  # both of them, as a duration
PAGE_SIZE = 200
CONCURRENCY = 8
DETAILS_BUDGET = 1000
TIMEOUT = timedelta(hours=1)
TIMEOUT_FIRST_FULL = timedelta(hours=6)
ENGINES = ("postgres",)  # that a sync can fill instead of a file, by dlt's names
DESTINATION = "CEKURA_DESTINATION"
# DuckDB names the catalog after the file, up to the first dot; equal to a schema's name, `cekura.results` would be ambiguous.
RESERVED_NAMES = (
    "cekura",
    "analytics",
    "cekura_staging",
    "team",
    "main",
    "information_schema",
    "pg_catalog",
    "system",
    "temp",
)

_NO_TIME = "leaves no time to read anything: give a longer one, or leave it out for the default."
_NOTHING_KEPT = (
    "keeps nothing: give a longer duration, or leave out --transcripts and run `cekura-sync erase`."
)
_SWITCHES = {"1": True, "true": True, "yes": True, "on": True} | dict.fromkeys(
    ("", "0", "false", "no", "off"), False
)


@dataclass(frozen=True)
class Filters:
    """The API's own filters; together they are the scope of a sync."""

    agent_id: int | None = None
    project_id: int | None = None
    search: str | None = None
    scenarios: str | None = None

    def params(self) -> dict[str, str]:
        """Query parameters, in one order, so that equal scopes have equal text."""
        return {name: str(value) for name, value in vars(self).items() if value is not None}

    def text(self) -> str:
        """For messages; empty without a filter."""
        return ", ".join(f"{name}={value}" for name, value in self.params().items())


@dataclass(frozen=True)
class Settings:
    """Everything that one sync needs to know. `repr` hides the key."""

    api_key: str = field(repr=False)
    key_is_token: bool = False
    key_from: str = login.VARIABLE
    api_url: str = API_URL
    api_version: str = API_VERSION
    warehouse: Path = Path(WAREHOUSE)
    filters: Filters = Filters()
    full: bool = False
    full_every: timedelta = DAY
    lookback: timedelta = DAY
    page_size: int = PAGE_SIZE
    concurrency: int = CONCURRENCY
    timeout: timedelta | None = None
    allow_mass_delete: bool = False
    dry_run: bool = False
    changes: Path | None = None
    models: Path | None = None  # a folder of the team's own
    details: bool = False
    details_budget: int = DETAILS_BUDGET
    transcripts: bool = False
    profiles: bool = False
    keep_transcripts: timedelta | None = None  # None: for ever
    destination: str | None = None  # instead of the file
    allow_http: bool = False
    notify: tuple[str, ...] = field(default=(), repr=False)  # addresses; each is a secret


def resolve(options: Mapping[str, object], environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from command-line options (None = not given). Raises SettingsError, KeyRefused."""
    from_file = vendor.read() if vendor.is_needed(options, environ) else {}

    def pick(name: str, env: str, default: str, vendor_key: str = "") -> str:
        option = options.get(name)
        if option is not None:
            return str(option)
        given = environ.get(env) or from_file.get(vendor_key)
        return given if isinstance(given, str) and given else default

    found = login.find(environ, from_file)
    changes = pick("changes", "CEKURA_CHANGES", "")
    models = pick("models", "CEKURA_MODELS", "")
    transcripts = _switch(options, environ, "transcripts", "CEKURA_TRANSCRIPTS")
    return Settings(
        api_key=found.secret,
        key_is_token=found.is_token,
        key_from=found.source,
        api_url=check_url(
            pick("api_url", "CEKURA_API_URL", API_URL, "api_url"), allow_http=bool(options.get("allow_http"))
        ),
        api_version=_one_of(pick("api_version", "CEKURA_API_VERSION", API_VERSION), API_VERSIONS),
        warehouse=check_warehouse(pick("warehouse", "CEKURA_WAREHOUSE", WAREHOUSE)),
        filters=filters(options),
        full=bool(options.get("full")),
        full_every=duration(
            pick("full_every", "CEKURA_FULL_EVERY", FULL_EVERY), "--full-every (CEKURA_FULL_EVERY)"
        ),
        lookback=duration(pick("lookback", "CEKURA_LOOKBACK", LOOKBACK), "--lookback (CEKURA_LOOKBACK)"),
        page_size=_number(options.get("page_size"), "page_size", PAGE_SIZE, least=1),
        concurrency=_number(options.get("concurrency"), "concurrency", CONCURRENCY, least=1),
        timeout=_if_given(options.get("timeout"), "--timeout", _NO_TIME),
        allow_mass_delete=bool(options.get("allow_mass_delete")),
        dry_run=bool(options.get("dry_run")),
        models=Path(models) if models else None,
        changes=Path(changes) if changes or options.get("changes") is not None else None,
        details=transcripts or _switch(options, environ, "details", "CEKURA_DETAILS"),
        details_budget=_number(options.get("details_budget"), "details_budget", DETAILS_BUDGET),
        transcripts=transcripts,
        profiles=bool(options.get("profiles")),
        keep_transcripts=_if_given(options.get("keep_transcripts"), "--keep-transcripts", _NOTHING_KEPT),
        destination=engine(options, environ),
        allow_http=bool(options.get("allow_http")),
        notify=_texts(options.get("notify")),
    )


def engine(options: Mapping[str, object], environ: Mapping[str, str] = os.environ) -> str | None:
    """The option, else the variable unless an option names a file. None means the file. Raises SettingsError."""
    name, file_given = options.get("destination"), options.get("warehouse") is not None
    if name and file_given:
        raise SettingsError("--warehouse names a file and --destination an engine: choose one of them.")
    if name is None and not file_given:
        name = environ.get(DESTINATION)
    if name and name not in ENGINES:
        raise SettingsError(
            f"sync cannot fill '{name}': write --destination {' or '.join(ENGINES)}, or leave it out for a file. To load any other destination of dlt's, use `cekura_source` in a dlt pipeline of your own (docs/engines.md)."
        )
    return str(name) if name else None


def moment(text: str, option: str) -> datetime:
    """A time without a zone is UTC, a date its midnight. Raises SettingsError."""
    try:
        read = datetime.fromisoformat(text.strip())
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise SettingsError(
            f"{option} '{text}' is not a time: write it as in 2026-03-10 or 2026-03-10T14:30:00Z."
        ) from None


def named_warehouse(options: Mapping[str, object]) -> str:
    return str(options["warehouse"] or os.environ.get("CEKURA_WAREHOUSE") or WAREHOUSE)


def check_warehouse(path: str) -> Path:
    """The path that readers open. Neither it nor the file that it links to may be named like a schema."""
    if not Path(path).name or "\0" in path:
        raise SettingsError(f"'{path}' is not a file name: write --warehouse as in {WAREHOUSE}.")
    if _is_loop(Path(path)):
        raise SettingsError(f"'{path}' is a symbolic link that leads back to itself: choose another path.")
    for file in (Path(path), _resolved(Path(path))):
        require_utf8_path(file)
        catalog = file.name.lstrip(".").partition(".")[0].lower()
        if catalog in RESERVED_NAMES:
            raise SettingsError(
                f"The warehouse file may not be called '{file.name}': DuckDB would confuse it with the schema {catalog}. Choose another name."
            )
    return Path(path)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except FileNotFoundError:
        raise SettingsError(
            f"The working directory no longer exists: change to another one, or write '{path}' as an absolute path."
        ) from None


def _is_loop(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _if_given(text: object, option: str, why_not_zero: str) -> timedelta | None:
    return None if text is None else above_zero(str(text), option, why_not_zero)


def filters(options: Mapping[str, object]) -> Filters:
    """Those that were given. Raises SettingsError."""
    scenarios = options.get("scenarios")
    if scenarios is not None and not re.fullmatch(r"[0-9]+(,[0-9]+)*", str(scenarios)):
        raise SettingsError(f"'{scenarios}' is not a list of scenario ids: write --scenarios 24270,24271.")
    search = options.get("search")
    if search is not None and not str(search).strip():
        raise SettingsError("--search is empty: write what to search for, or leave it out for all results.")
    return Filters(
        agent_id=_id(options.get("agent_id"), "agent_id"),
        project_id=_id(options.get("project_id"), "project_id"),
        search=str(search) if search is not None else None,
        scenarios=_in_one_spelling(str(scenarios)) if scenarios else None,
    )


def _in_one_spelling(ids: str) -> str:
    return ",".join(map(str, sorted({*map(int, ids.split(","))})))


def _switch(options: Mapping[str, object], environ: Mapping[str, str], name: str, env: str) -> bool:
    if options.get(name) is not None:
        return bool(options[name])
    return switch(env, environ.get(env, ""))


def switch(variable: str, text: str) -> bool:
    """Whether a variable of the environment turns something on. Raises SettingsError."""
    word = text.strip().lower()
    if word not in _SWITCHES:
        raise SettingsError(f"{variable} is '{word}', which is neither on nor off: set it to 1 or 0.")
    return _SWITCHES[word]


def _number(value: object, name: str, default: int, least: int = 0) -> int:
    """click has checked what the command line gives, and nobody what a program does. Raises SettingsError."""
    try:
        number = default if value is None else int(str(value))
    except ValueError:
        number = -1
    if number < least:
        raise SettingsError(f"{name} is '{value}': write a whole number, {least} or more.")
    return number


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple | list) else ()


def _id(value: object, name: str) -> int | None:
    return None if value is None else _number(value, name, 0)


def _one_of(value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise SettingsError(f"'{value}' is not an API version: choose {' or '.join(allowed)}.")
    return value
