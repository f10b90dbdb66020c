"""Writes files beside a list of what was written, so that nothing else is ever replaced."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from cekura_sync.errors import SettingsError

LIST = ".cekura-dashboards.json"  # kind → file → digest of what we wrote
_NAMED = 5  # files in a message


def write(folder: Path, kind: str, files: Mapping[str, bytes]) -> None:
    """Write these files, and remove those of the same kind that an older version wrote.

    Raises SettingsError, and changes nothing, where a file is there that this did not write, or that was edited.
    """
    lists = _read_list(folder)
    before = lists.get(kind, {})
    foreign = list(_foreign(folder, before, files))
    if foreign:
        shown = ", ".join(foreign[:_NAMED]) + (" …" if len(foreign) > _NAMED else "")
        raise SettingsError(
            f"{folder} has files that this command did not write, or that were edited since: {shown}. Move them away, or choose another folder with --to."
        )
    for name, content in files.items():
        _replace(folder / name, content)
    for name in before.keys() - files.keys():
        (folder / name).unlink(missing_ok=True)
    lists[kind] = {name: _digest(content) for name, content in files.items()}
    _replace(folder / LIST, json.dumps(lists, indent=1, sort_keys=True).encode())


def _foreign(folder: Path, before: Mapping[str, str], files: Mapping[str, bytes]) -> Iterator[str]:
    """Names of files that are not ours. One that holds what we would write is: a command that was killed left it."""
    for name in sorted(before.keys() | files.keys()):
        path = folder / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            yield name
        elif path.exists():
            ours = {before.get(name), _digest(files[name]) if name in files else None}
            if _digest(path.read_bytes()) not in ours:
                yield name


def _read_list(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / LIST
    if not path.exists():
        return {}
    try:
        lists = json.loads(path.read_bytes())
        return {
            kind: {_inside(name): str(digest) for name, digest in names.items()}
            for kind, names in lists.items()
        }
    except (ValueError, AttributeError):
        raise SettingsError(
            f"{path} is damaged: remove it, and move the files of that folder away."
        ) from None


def _inside(name: str) -> str:
    """The name of a file below the folder. Raises ValueError for another."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(name)
    return name


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()
