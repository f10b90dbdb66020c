"""A dead-man's switch: reports the start and end of a sync to a monitor, in the form that Healthchecks expects."""

from collections.abc import Callable
from threading import Thread
from urllib.parse import urlsplit, urlunsplit

from cekura_sync import __version__
from cekura_sync.errors import SettingsError

SECONDS = 3.0  # a monitor may delay the end of a sync by no more


class Ping:
    """Sends `url`/start, then `url` or `url`/fail, in this order. A monitor that is down causes a warning, never a failure."""

    def __init__(self, url: str, warn: Callable[[str], None]) -> None:
        self._url = urlsplit(url)
        self._warn = warn
        self._problem = ""
        self._under_way: Thread | None = None

    def start(self) -> None:
        """Does not wait for the answer."""
        self._send("/start")

    def end(self, code: int) -> None:
        # The body holds only the code: error messages may quote the data.
        thread = self._send("/fail", f"exit code {code}\n") if code else self._send("")
        thread.join(SECONDS)
        if thread.is_alive():
            self._problem = f"no answer within {SECONDS:.0f} s"
        if self._problem:
            # The path of the address is the monitor's secret.
            self._warn(
                f"The ping to {self._url.netloc} failed ({self._problem}): check --ping. The sync itself is not affected."
            )

    def _send(self, suffix: str, body: str = "") -> Thread:
        """In a thread of its own: the timeouts of httpx and DNS do not bound the whole request."""
        path = self._url.path.rstrip("/") + suffix
        address = urlunsplit(self._url._replace(path=path))
        thread = Thread(target=self._post, args=(self._under_way, address, body), daemon=True)
        self._under_way = thread
        thread.start()
        return thread

    def _post(self, before: Thread | None, address: str, body: str) -> None:
        from cekura_sync import network

        if before is not None:
            before.join()
        try:
            with network.client(address) as http:
                answer = http.post(
                    address,
                    content=body,
                    headers={"User-Agent": f"cekura-sync/{__version__}"},
                    timeout=SECONDS,
                )
            self._problem = "" if answer.is_success else f"it answers {answer.status_code}"
        except Exception as error:  # whatever it is, it must not fail the sync
            # Its text may hold the path of the address, which is a secret.
            self._problem = str(error) if isinstance(error, SettingsError) else type(error).__name__
