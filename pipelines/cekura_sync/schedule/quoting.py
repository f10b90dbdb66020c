"""Text as it must be written so that each reader takes it for what it is."""

import json
import shlex
from collections.abc import Iterable

from cekura_sync.errors import SettingsError


def check(text: str) -> str:
    """Raises SettingsError for what some reader of these files would take for something else, however it is quoted."""
    if not text.isprintable() or "\\" in text:
        raise SettingsError(
            f"{text!a} holds a backslash or a character that cannot be printed: no scheduler's file can carry that safely."
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


def systemd(words: Iterable[str]) -> str:
    """For ExecStart=: quotes, specifiers and variables."""
    return " ".join(
        '"{}"'.format(systemd_path(word).replace('"', r"\"").replace("$", "$$")) for word in words
    )


def yaml(value: object) -> str:
    """JSON, which YAML is a superset of."""
    return json.dumps(value, ensure_ascii=False)


def compose(value: object) -> str:
    return yaml(value).replace("$", "$$")


def kubernetes(value: object) -> str:
    """For the arguments of a container, where $(NAME) is a variable."""
    return yaml(value).replace("$(", "$$(")


def github(value: str) -> str:
    """For a workflow, where ${{ }} is evaluated before YAML's quotes mean anything."""
    if "${{" in value:
        raise SettingsError(f"'{value}' would be evaluated by GitHub: choose another value.")
    return yaml(value)


def python(words: Iterable[str]) -> str:
    return "[\n" + "".join(f"    {word!r},\n" for word in words) + "]"
