"""The receivers: webhooks of Slack, Teams and others over https, and the services that the library apprise knows by other schemes."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from threading import Thread
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from cekura_sync import __version__
from cekura_sync.errors import SettingsError
from cekura_sync.notify.message import Message
from cekura_sync.settings.addresses import is_loopback

SECONDS = 3.0  # all receivers together may delay the end of a sync by no more
_SLACK = re.compile(r"hooks\.slack(-gov)?\.com")
_SLACK_PATH = re.compile(r"/services/T\w+/B\w+/\w+")
_TEAMS = re.compile(
    r"(.+\.)?(webhook\.office\.com|logic\.azure\.com|api\.powerplatform\.com)|outlook\.office(365)?\.com"
)
# Schemes of apprise that send a message unencrypted to the host they name.
_UNENCRYPTED = ("json", "xml", "form")


class _NotTakenError(Exception):
    """Says why, without the address."""


@dataclass(frozen=True)
class Receiver:
    """Its address is a secret: anyone who knows it can write to the channel."""

    url: str = field(repr=False)

    @cached_property
    def id(self) -> str:
        """For the warehouse, which must not hold the address."""
        return sha256(self.url.encode()).hexdigest()[:16]

    @property
    def where(self) -> str:
        """The part of the address that may be shown."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}" if self.is_web else f"{parts.scheme}://…"

    @property
    def is_web(self) -> bool:
        return urlsplit(self.url).scheme in ("http", "https")

    def send(self, message: Message) -> None:
        """Raises _NotTakenError, or whatever else went wrong."""
        if self.is_web:
            self._post(self.form(message))
        elif not _apprise(self.url).notify(title=message.title, body="\n".join(message.lines)):
            raise _NotTakenError("apprise could not deliver it")

    def form(self, message: Message) -> dict[str, Any]:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if _SLACK.fullmatch(host) or _SLACK_PATH.fullmatch(parts.path):
            return message.for_slack()
        return message.for_teams() if _TEAMS.fullmatch(host) else message.for_any()

    def _post(self, content: dict[str, Any]) -> None:
        from cekura_sync import network

        with network.client(self.url) as http:
            agent = {"User-Agent": f"cekura-sync/{__version__}"}
            answer = http.post(self.url, json=content, headers=agent, timeout=SECONDS)
        if not answer.is_success:
            raise _NotTakenError(f"it answers {answer.status_code}")


def receivers(urls: Sequence[str], *, allow_http: bool) -> list[Receiver]:
    """Each address once. Raises SettingsError, which does not quote it."""
    for url in urls:
        _check(url, allow_http=allow_http)
    return [Receiver(url) for url in dict.fromkeys(urls)]


def _check(url: str, *, allow_http: bool) -> None:
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        scheme, host = "", ""
    if not scheme or not (host or parts.path) or re.search(r"[\s\0]", url):
        raise SettingsError(
            "--notify is not a complete address: copy all of it, as in https://hooks.slack.com/services/…."
        )
    if scheme in ("http", "https") and (not host or "@" in parts.netloc):
        raise SettingsError(
            f"--notify {scheme}://… must name a host, without a user and a password: copy the webhook's address."
        )
    if scheme in ("http", *_UNENCRYPTED) and not (is_loopback(host) or allow_http):
        raise SettingsError(
            f"Refusing to send news over plain http to {host}: use https, or --allow-http if you must."
        )
    if scheme not in ("http", "https"):
        _apprise(url)


def _apprise(url: str) -> Any:
    """Raises SettingsError without the library, or for an address that it does not know."""
    try:
        import apprise
    except ModuleNotFoundError:
        raise SettingsError(
            f"--notify {urlsplit(url).scheme}://… needs apprise, which is not installed: run `pip install '.[notify]'` in a checkout of cekura-sync, or use a webhook by https."
        ) from None
    log = logging.getLogger("apprise")  # its lines may quote the address
    log.propagate = False
    log.addHandler(logging.NullHandler())
    sender = apprise.Apprise()
    if not sender.add(url):
        raise SettingsError(
            f"--notify {urlsplit(url).scheme}://… is not an address that apprise knows: check it."
        )
    return sender


def send_all(messages: Mapping[Receiver, Message], warn: Callable[[str], None]) -> list[Receiver]:
    """The receivers that accepted the message. Each gets a thread, because the timeouts of httpx and DNS do not bound the whole request."""
    problems: dict[Receiver, str] = dict.fromkeys(messages, f"no answer within {SECONDS:.0f} s")
    threads = [
        Thread(target=_send, args=(receiver, message, problems), daemon=True)
        for receiver, message in messages.items()
    ]
    for thread in threads:
        thread.start()
    deadline = monotonic() + SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - monotonic()))
    outcome = dict(problems)  # a copy: it ignores threads that end later
    for receiver, problem in outcome.items():
        if problem:
            warn(
                f"The news could not be sent to {receiver.where} ({problem}): check --notify. The sync itself is not affected; the next one tries again."
            )
    return [receiver for receiver, problem in outcome.items() if not problem]


def _send(receiver: Receiver, message: Message, problems: dict[Receiver, str]) -> None:
    try:
        receiver.send(message)
        problems[receiver] = ""
    except Exception as error:  # whatever it is, it must not fail the sync
        # Its text may hold the address, which is a secret.
        known = isinstance(error, SettingsError | _NotTakenError)
        problems[receiver] = str(error) if known else type(error).__name__
