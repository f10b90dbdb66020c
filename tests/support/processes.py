"""The program in processes of its own, which begin where its imports have ended.

Importing takes a second of processor time. So one server imports, and forks for each process that a test starts: with its own
variables, folder and streams, and killed like any other.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from select import select
from typing import Any, NoReturn

PROGRAM = "cekura_sync.__main__"


class Started:
    """A process of the program; what tests use of `subprocess.Popen` is the same.

    `program`: a module with a function `main`.
    """

    def __init__(self, arguments: list[str], env: dict[str, str], program: str = PROGRAM) -> None:
        streams = [os.pipe() for _ in range(3)]
        reading, writing = zip(*streams, strict=True)
        request = {"arguments": arguments, "env": env, "folder": str(Path.cwd())}
        socket.send_fds(_server(program)[0], [json.dumps(request).encode()], writing)
        for descriptor in writing:
            os.close(descriptor)
        self.stdout, self.stderr, self._report = (os.fdopen(descriptor) for descriptor in reading)
        self.pid = int(self._report.readline())
        self.returncode: int | None = None
        self._said: tuple[str, str] | None = None

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("cekura-sync", timeout or 0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """The rest of what it says; asked again, the same."""
        if self._said is None:
            with self.stdout, self.stderr, ThreadPoolExecutor(2) as pool:
                out, err = pool.submit(self.stdout.read), pool.submit(self.stderr.read)
                try:
                    self.wait(timeout)
                except subprocess.TimeoutExpired:
                    self.kill()
                    raise
            self._said = out.result(), err.result()
        return self._said

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select([self._report], [], [], timeout)[0]:
            with self._report:
                self.returncode = int(self._report.readline())
        return self.returncode


@cache
def _server(program: str) -> "tuple[socket.socket, subprocess.Popen[bytes]]":
    """The way to it; and the process, which Python misses when nobody holds it."""
    folders = filter(None, (os.environ.get("PYTHONPATH"), str(Path(__file__).parents[1])))
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "support.processes", str(its.fileno()), program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(folders), "OPENBLAS_NUM_THREADS": "1"},
        pass_fds=[its.fileno()],
        cwd="/",
    )
    its.close()
    return ours, process


# -- the server -------------------------------------------------------------------------------------------------------


def _serve(door: socket.socket) -> None:
    """Until the tests that asked are over."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who report
    while True:
        message, descriptors, *_ = socket.recv_fds(door, 1 << 20, 3)
        if not message:
            return
        if os.fork() == 0:
            door.close()
            _begin(json.loads(message), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _begin(request: dict[str, Any], out: int, err: int, report: int) -> NoReturn:
    """Start the process, report its number, wait for its end and report that too."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.closerange(3, report + 1)
        _become_the_program(request)
    os.close(out)
    os.close(err)
    os.write(report, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become_the_program(request: dict[str, Any]) -> NoReturn:
    sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    tempfile.tempdir = None
    program, sys.argv = sys.argv[2], ["cekura-sync", *request["arguments"]]
    folders = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.path[:0] = folders
    sys.modules.pop("sitecustomize", None)
    with contextlib.suppress(ImportError):
        import sitecustomize  # noqa: F401 - what stops the program at a point; Python would have imported it
    importlib.import_module(program).main()
    os._exit(0)


def _import_all_of_it(program: str) -> None:
    importlib.import_module(program)
    if program != PROGRAM:
        return
    from cekura_sync import cli, sync  # noqa: F401
    from cekura_sync.warehouse import dlt_settings, file  # noqa: F401

    dlt_settings.isolate()
    from cekura_sync.warehouse import load  # noqa: F401


if __name__ == "__main__":
    _import_all_of_it(sys.argv[2])
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
