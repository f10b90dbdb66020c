"""Files that run the gate in a release pipeline."""

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from string import Template

from cekura_sync import __version__
from cekura_sync.schedule import quoting


def render_gate(kind: str, warehouse: str, options: Sequence[str]) -> str:
    """The file for this kind of pipeline. `warehouse`: its file's name. Raises SettingsError for settings that it cannot hold."""
    for text in (warehouse, *options):
        quoting.check(text)
    command = quoting.shell(
        ["cekura-sync", "gate", "--warehouse", f"warehouse/{warehouse}", *options, "--junit", "gate.xml"]
    )
    template = files(__package__).joinpath("templates", f"{kind}.yaml.tmpl").read_text(encoding="utf-8")
    return Template(template).substitute(version=__version__, command=GATES[kind](command))


def _github(command: str) -> str:
    return quoting.github(f'{command} --summary "$GITHUB_STEP_SUMMARY"')


GATES: Mapping[str, Callable[[str], str]] = {"github-gate": _github, "gitlab-gate": quoting.gitlab}
