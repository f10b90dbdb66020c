"""Quotes text for the reader of each file."""

import json
import re
import shlex
from collections.abc import Iterable

from cekura_sync.errors import SettingsError


def check(text: str) -> str:
    """Raises SettingsError for text that some scheduler would misread in any quotes."""
    if not text.isprintable() or "\\" in text:
        raise SettingsError(
            f"{text!r} contains a backslash or an unprintable character, which is not safe in a scheduler's file: choose another value."
        )
    return text


def shell(words: Iterable[str]) -> str:
    return shlex.join(words)


def cron(words: Iterable[str]) -> str:
    """For a crontab: an unescaped % would be the end of the line."""
    return shell(words).replace("%", r"\%")


def systemd_path(path: str) -> str:
    """For a setting that takes one path: no quotes, but specifiers."""
    return path.replace("%", "%%")


def systemd_pattern(path: str) -> str:
    """For a setting that takes a pattern of paths."""
    return systemd_path(re.sub(r"[*?\[]", r"[\g<0>]", path))


def systemd_paths(paths: Iterable[str]) -> str:
    """For a setting that takes several."""
    return " ".join('"{}"'.format(systemd_path(path).replace('"', r"\"")) for path in paths)


def systemd(words: Iterable[str]) -> str:
    """For ExecStart=: quotes, specifiers, and variables in all words but the program itself."""
    program, *arguments = words
    return systemd_paths([program, *(word.replace("$", "$$") for word in arguments)])


def yaml(value: object) -> str:
    """JSON, which YAML is a superset of."""
    return json.dumps(value, ensure_ascii=False)


def compose(value: object) -> str:
    return yaml(value).replace("$", "$$")


def kubernetes(value: object) -> str:
    """For the arguments of a container, where $(NAME) is a variable and $$ a dollar."""
    return yaml(value).replace("$", "$$")


def github(value: str) -> str:
    """For a workflow, where ${{ }} is evaluated before YAML's quotes mean anything."""
    if "${{" in value:
        raise SettingsError(f"'{value}' would be evaluated by GitHub Actions: choose another value.")
    return yaml(value)


def gitlab(value: str) -> str:
    """For a job that a project may include: $[[ ]] is evaluated where the file has inputs."""
    if "$[[" in value:
        raise SettingsError(f"'{value}' would be evaluated by GitLab CI/CD: choose another value.")
    return yaml(value)


def python(words: Iterable[str]) -> str:
    return "[\n" + "".join(f"    {word!r},\n" for word in words) + "]"
