"""The command that prints a file for a scheduler or a release pipeline."""

import os
from collections.abc import Sequence
from copy import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cekura_sync import __version__, settings
from cekura_sync.commands.gate import gate
from cekura_sync.commands.options import complete_file
from cekura_sync.commands.sync import sync
from cekura_sync.errors import SettingsError
from cekura_sync.schedule import ELSEWHERE, GATES, KINDS, Job, render, render_gate

EVERY = "15m"
DEFAULT_ENV_FILE = "~/.config/cekura-sync.env"
_OF_ONE_SYNC = ("notify_test", "full", "dry_run", "allow_mass_delete", "every", "as_json", "quiet", "verbose")
_PLACE = ("warehouse", "destination")  # the job has its own
_SECRET = {"ping": "CEKURA_PING", "notify": "CEKURA_NOTIFY"}  # belong in the file that holds the key


def _passed_on(option: click.Option) -> click.Option:
    """The same option, exposed here even where `sync` hides it from its function."""
    passed_on = copy(option)
    passed_on.expose_value = True
    return passed_on


_SCHEDULED = [
    _passed_on(option)
    for option in sync.params
    if isinstance(option, click.Option) and option.name not in (*_OF_ONE_SYNC, *_SECRET)
]


@click.command(short_help="Print a file for your scheduler.")
@click.argument("kind", metavar="KIND", type=click.Choice([*KINDS, *GATES]))
@click.option("--every", metavar="DUR", default=EVERY, show_default=True, help="How often to sync.")
@click.option(
    "--env-file",
    metavar="PATH",
    shell_complete=complete_file,
    help=f"The file that holds CEKURA_API_KEY.  [default: {DEFAULT_ENV_FILE}]",
)
@click.option(
    "--image",
    metavar="NAME",
    default=f"cekura-sync:{__version__}",
    show_default=True,
    help="The container image, for docker and kubernetes.",
)
def schedule(kind: str, every: str, env_file: str | None, image: str, **options: Any) -> None:
    """Print a file for a scheduler, with this installation's paths and settings.

    KIND is cron, systemd, docker, kubernetes, github, airflow or dagster. The first lines of the file say what to do with
    it. The file contains the options of `sync` that you give, and settings from the environment, but never the key,
    CEKURA_PING or CEKURA_NOTIFY.
    If KIND is github-gate or gitlab-gate, the file runs `gate` in a release pipeline, and --every has no effect.
    """
    # The key is not needed here: the job reads it where it runs.
    checked = settings.resolve(options, os.environ | {"CEKURA_API_KEY": "-"})
    if kind in GATES:
        click.echo(_gate(kind, checked, options | {"api_url": checked.api_url}), nl=False)
        return
    job = Job(
        every=_whole_minutes(settings.interval(every)),
        warehouse=checked.warehouse.resolve(),
        options=tuple(_words(kind, options | {"api_url": checked.api_url})),
        engine=checked.destination,
        env_file=_env_file(env_file or DEFAULT_ENV_FILE),
        image=image,
        filters=tuple(
            word
            for name, value in checked.filters.params().items()
            for word in (f"--{name.replace('_', '-')}", value)
        ),
        written=tuple(
            Path(options[name]).absolute().parent for name in ("metrics_file", "report") if options[name]
        ),
        secrets=tuple(variable for variable in _SECRET.values() if os.environ.get(variable)),
    )
    click.echo(render(kind, job), nl=False)


schedule.params.extend(_SCHEDULED)


def _gate(kind: str, checked: settings.Settings, options: dict[str, Any]) -> str:
    if checked.destination:
        raise SettingsError(f"The file for {kind} keeps a DuckDB file: print it without --destination.")
    if options["agent_id"] is None:
        raise SettingsError("A gate judges an agent: add --agent-id.")
    known = {option.name for option in gate.params} | {"agent_id"}
    given = click.get_current_context().get_parameter_source
    for option in _SCHEDULED:
        if option.name not in known and given(str(option.name)) is ParameterSource.COMMANDLINE:
            raise SettingsError(f"`gate` does not take {option.opts[-1]}: leave it out.")
    fitting = {name: value for name, value in options.items() if name in known}
    words = _words(kind, fitting, [option for option in _SCHEDULED if option.name in known])
    return render_gate(kind, checked.warehouse.name, words)


def _whole_minutes(every: timedelta) -> timedelta:
    if every % timedelta(minutes=1):
        raise SettingsError("Schedulers count in minutes: give --every in whole minutes, such as 15m.")
    return every


def _words(kind: str, options: dict[str, Any], of: Sequence[click.Option] = _SCHEDULED) -> list[str]:
    """The settings that were given, as options of `sync`; without the warehouse, which each scheduler names itself."""
    words = []
    for option in of:
        value = _value(option, options)
        if option.name not in _PLACE and value not in (None, False, option.default):
            if isinstance(value, Path) and kind in ELSEWHERE:
                raise SettingsError(
                    f"{option.opts[-1]} {value} is a file on this machine, which {kind} cannot see: leave it out."
                )
            words += [option.opts[-1]] if value is True else [option.opts[-1], str(value)]
    return words


def _value(option: click.Option, options: dict[str, Any]) -> Any:
    """The option's value, else the environment's. Paths become absolute, because a scheduler runs in another directory."""
    name = str(option.name)
    value = options.get(name)
    variable = f"CEKURA_{name.upper()}"
    if value is None and variable in (option.help or ""):
        value = os.environ.get(variable) or None
        value = settings.switch(variable, value) if value and option.is_flag else value
    if name == "api_url" and value == settings.API_URL:
        return None
    return Path(value).absolute() if value and option.metavar in ("PATH", "FILE", "DIR") else value


def _env_file(path: str) -> Path:
    """Expands ~, which a shell does not do in `--env-file=~/…`."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        raise SettingsError(
            f"There is no home directory for {path}: use --env-file to name the file that will hold the key."
        ) from None
