"""An assistant that asks the warehouse through an MCP server over stdio, with the arguments and questions of docs/bi.md.

`make readers` installs the server beside the environment that runs the tests; without it these tests are skipped.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.drivers import ALL
from support.harness import PATIENCE, Account

DOCS = (Path(__file__).parents[2] / "docs" / "bi.md").read_text(encoding="utf-8")
SERVER = Path(sys.prefix, "readers", "1.5.6", "bin", "mcp-server-motherduck")
QUESTIONS = re.findall(r"^\| .*\? \| `(select .*)` \|$", DOCS, re.MULTILINE)


class Assistant:
    """Speaks JSON-RPC with a server, a line a message."""

    def __init__(self, arguments: list[str], home: Path) -> None:
        self._process = subprocess.Popen(
            [str(SERVER), *arguments],
            env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._asked = 0
        hello = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }
        self._ask("initialize", hello)
        self._say({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, tool: str, **arguments: str) -> tuple[bool, str]:
        """Whether the tool worked, and its text."""
        result = self._ask("tools/call", {"name": tool, "arguments": arguments})
        text = result["content"][0]["text"]
        return not result.get("isError") and json.loads(text)["success"], text

    def close(self) -> None:
        self._process.communicate(timeout=PATIENCE)

    def _say(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._asked += 1
        self._say({"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params})
        assert self._process.stdout
        for line in self._process.stdout:
            answer = json.loads(line)
            if answer.get("id") == self._asked:
                return answer["result"]
        raise AssertionError("the server has ended")


@pytest.fixture
def account(new_account: Callable[..., Account]) -> Account:
    account = new_account(results=60, runs_per_result=2)
    assert account.sync().code == 0
    return account


@pytest.fixture
def assistant(account: Account, tmp_path: Path) -> Iterator[Assistant]:
    if not SERVER.exists():
        (pytest.fail if ALL else pytest.skip)(f"There is no {SERVER}: run `make readers`.")
    (config,) = re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL)
    command, *arguments = json.loads(config)["mcpServers"]["cekura"]["args"]
    assert command == SERVER.name
    home = tmp_path / "assistant"
    home.mkdir()
    assistant = Assistant(
        [text.replace("/path/to/warehouse.duckdb", str(account.warehouse)) for text in arguments], home
    )
    yield assistant
    assistant.close()


def test_an_assistant_learns_the_views_and_can_only_read(
    account: Account, assistant: Assistant, tmp_path: Path
) -> None:
    before = account.warehouse.read_bytes()

    worked, views = assistant.call("list_tables", schema="analytics")
    assert worked
    assert "One row per agent: how often it passes." in views
    worked, columns = assistant.call("list_columns", table="agent_pass_rate", schema="analytics")
    assert worked
    assert "pass_rate_low" in columns
    assert len(QUESTIONS) == 3
    for sql in QUESTIONS:
        worked, text = assistant.call("execute_query", sql=sql)
        rows = [list(row) for row in account.query(sql)]
        assert worked, text
        assert len(json.loads(text)["rows"]) == len(rows)
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nabracadabra\n")
    for sql in (
        f"copy (select 1) to '{tmp_path}/new.csv'",
        f"copy (select 1) to '{account.warehouse}' (format csv, use_tmp_file false)",
        f"copy (select 1) to '{account.warehouse}.wal' (format csv)",
        f"select * from read_text('{secret}')",
        f"attach '{tmp_path}/new.duckdb'",
        "set lock_configuration = false",
        "delete from cekura.results",
    ):
        worked, text = assistant.call("execute_query", sql=sql)
        assert not worked, sql
        assert "abracadabra" not in text
    assert account.warehouse.read_bytes() == before
    assert not (tmp_path / "new.csv").exists()

    account.world.insert(1)
    assert account.sync().code == 0
    _, text = assistant.call("execute_query", sql="select live_results from analytics.sync_status")
    assert json.loads(text)["rows"] == [[61]]
