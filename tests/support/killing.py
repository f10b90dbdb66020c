"""What the kill tests share: the points at which a sync is stopped, and a change for it to write."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

from cekura_sync.sandbox import Answer, Request
from support.harness import PATIENCE, Account

_FOLDER = str(Path(__file__).parent / "kill_points")
# The variables with which a process knows the points, beside what else it is to find first.
KILL_POINTS = {"PYTHONPATH": os.pathsep.join(filter(None, (_FOLDER, os.environ.get("PYTHONPATH"))))}


def change_the_account(account: Account) -> None:
    """Something of everything that a sync can have to write."""
    world = account.world
    world.finish()
    new = world.insert(2)
    world.start()
    ids = sorted(world.results)
    world.edit(new[0], name="renamed")
    world.drop_runs(ids[3], keep=0)
    world.rerun(ids[7])
    world.touchless_edit(ids[5], name=f"renamed {world.version}")
    world.delete(ids[0])


def kill_at_request(account: Account, index: int, *options: str, **env: str) -> int:
    """A sync, `--full` without options, that is killed while the API has this request. Returns its exit code: 0 where it was done before."""
    account.sandbox.reset_requests()

    def kill(request: Request) -> Answer | None:
        if request.index != index:
            return None
        process.kill()
        return Answer(disconnect=True)

    account.sandbox.intercept = kill
    process = account.spawn(*(options or ("--full",)), **env)
    _, err = process.communicate(timeout=PATIENCE)
    account.sandbox.intercept = None
    assert process.returncode in (0, -signal.SIGKILL), err
    return process.returncode


def sync_with_files_up_to(
    size: int, account: Account, *options: str, **env: str
) -> "subprocess.CompletedProcess[str]":
    """A process that may write no file larger than so many bytes: as a disk that fills up, at any byte."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return subprocess.run(
        [sys.executable, "-m", "cekura_sync", "sync", "-q", *options],
        env=os.environ | account.env | env,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
