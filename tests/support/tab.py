"""A tab of a real browser that a test drives: Chromium, told what to do in its own protocol over a pipe."""

import json
import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import F_DUPFD, fcntl
from pathlib import Path
from typing import Any

from support.browser import CHROMIUM, FLAGS, requested
from support.harness import PATIENCE

# Looks at every frame that the page draws, until the expression is true, and gives its value.
UNTIL = """new Promise(settle => {
  const look = () => { const found = (@EXPRESSION@); found ? settle(found) : requestAnimationFrame(look) };
  look();
})"""


class Tab:
    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._sent = 0
        self._unread = b""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def open(self, url: str) -> None:
        self._ask("Page.navigate", self._session, url=url)

    def wait(self, expression: str) -> Any:
        """The value of a JavaScript expression, as soon as it is true."""
        return self.run(UNTIL.replace("@EXPRESSION@", expression))

    def run(self, expression: str) -> Any:
        answer = self._ask(
            "Runtime.evaluate", self._session, expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def close(self) -> None:
        self._ask("Browser.close")

    def _ask(self, method: str, session: str | None = None, /, **params: Any) -> dict[str, Any]:
        self._sent += 1
        asked = {"id": self._sent, "method": method, "params": params} | (
            {"sessionId": session} if session else {}
        )
        os.write(self._commands, json.dumps(asked).encode() + b"\0")
        while True:
            answer = json.loads(self._next())
            if answer.get("id") == self._sent:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self) -> bytes:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._answers], [], [], PATIENCE)
            assert ready, "The browser does not answer."
            read = os.read(self._answers, 1 << 16)
            assert read, "The browser has stopped."
            self._unread += read
        message, _, self._unread = self._unread.partition(b"\0")
        return message


@contextmanager
def browsing(folder: Path, *options: str) -> Iterator[tuple[Tab, list[str]]]:
    """A tab, and the URLs of everything that the browser was made to ask for, known when it is closed."""
    assert CHROMIUM
    log = folder / "net-log.json"
    flags = (
        *FLAGS,
        "--remote-debugging-pipe",
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={log}",
    )
    theirs, ours = _pipes()
    # The browser reads its third file and writes its fourth.
    redirected = f'exec "$@" 3<&{theirs[0]} 4>&{theirs[1]}'
    with (folder / "browser.log").open("wb") as said:
        browser = subprocess.Popen(
            ["/bin/bash", "-c", redirected, "bash", CHROMIUM, *flags, *options],
            pass_fds=theirs, stdout=said, stderr=said,
        )  # fmt: skip
    urls: list[str] = []
    try:
        tab = Tab(ours[1], ours[0])
        yield tab, urls
        tab.close()
        browser.wait(PATIENCE)
        urls += requested(log)
    finally:
        browser.kill()
        browser.wait()
        for end in (*theirs, *ours):
            os.close(end)


def _pipes() -> tuple[tuple[int, int], tuple[int, int]]:
    """What the browser reads and writes, and what we read and write; none is the third or fourth file."""
    ends = [*os.pipe(), *os.pipe()]
    to_them, from_us, to_us, from_them = (fcntl(end, F_DUPFD, 10) for end in ends)
    for end in ends:
        os.close(end)
    return (to_them, from_them), (to_us, from_us)
