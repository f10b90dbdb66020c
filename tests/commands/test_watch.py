"""Who watches the job: a dead-man's switch, a node exporter, a collector of log lines, and the published file itself."""

import json
import signal
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cekura_sync import __version__, clock
from cekura_sync.monitoring import ping
from cekura_sync.sandbox import Fault
from support.harness import HANG, PATIENCE, Account
from support.listener import serving
from support.processes import Started


@dataclass
class Monitor:
    """A dead-man's switch on loopback that remembers what it was told."""

    url: str = ""
    status: int = 200
    delay: float = 0.0
    slow_way: float = 0.0  # seconds that a start takes to arrive
    told: list[tuple[str, bytes]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    heard = Monitor()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            time.sleep(heard.slow_way if self.path.endswith("/start") else 0)
            heard.told.append((self.path, body))
            heard.headers.append(dict(self.headers))
            time.sleep(heard.delay)
            self.send_response(heard.status)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

    with serving(Handler) as address:
        heard.url = f"http://{address}/secret-uuid"
        yield heard


# -- a dead-man's switch ----------------------------------------------------------------------------------------------


def test_a_sync_that_succeeds_pings_start_and_the_address_itself(settled: Account, monitor: Monitor) -> None:
    ran = settled.sync("--ping", monitor.url)

    assert (ran.code, ran.err) == (0, "")
    assert monitor.told == [("/secret-uuid/start", b""), ("/secret-uuid", b"")]


@pytest.mark.parametrize(
    ("options", "env", "code"),
    [
        ([], {"CEKURA_API_KEY": "another"}, 3),
        ([], {"CEKURA_API_KEY": ""}, 2),
        (["--lookback", "soon"], {}, 2),
        (["--warehouse", "nowhere/w.duckdb"], {}, 9),
    ],
    ids=["key refused", "no key", "a setting that is none", "no place for the warehouse"],
)
def test_a_sync_that_fails_pings_fail_with_its_code_and_keeps_it(
    settled: Account, monitor: Monitor, options: list[str], env: dict[str, str], code: int
) -> None:
    ran = settled.sync(*options, CEKURA_PING=monitor.url + "/", **env)

    assert ran.code == code, ran.err
    assert monitor.told == [
        ("/secret-uuid/start", b""),
        ("/secret-uuid/fail", f"exit code {code}\n".encode()),
    ]


def test_an_end_never_overtakes_its_start(quick: Account, monitor: Monitor) -> None:
    monitor.slow_way = 0.3

    quick.sync("--ping", monitor.url, CEKURA_API_KEY="")

    assert [path for path, _ in monitor.told] == ["/secret-uuid/start", "/secret-uuid/fail"]


def test_the_query_of_a_pings_address_stays_behind_its_path(settled: Account, monitor: Monitor) -> None:
    settled.sync("--ping", monitor.url + "?create=1")

    assert [path for path, _ in monitor.told] == ["/secret-uuid/start?create=1", "/secret-uuid?create=1"]


def test_a_monitor_hears_neither_key_nor_data(quick: Account, monitor: Monitor) -> None:
    quick.sandbox.faults.append(Fault("error-object"))

    assert quick.sync("--ping", monitor.url).code == 5

    heard = json.dumps([monitor.headers, [(path, body.decode()) for path, body in monitor.told]])
    assert quick.sandbox.key not in heard
    assert "X-CEKURA" not in heard.upper()
    assert "Something went wrong" not in heard


@pytest.mark.parametrize("status", [301, 404, 500])
def test_a_monitor_that_refuses_is_a_warning(settled: Account, monitor: Monitor, status: int) -> None:
    monitor.status = status

    ran = settled.sync("--ping", monitor.url)

    assert (ran.code, ran.json["results"]) == (0, 20)
    assert f"it answers {status}" in ran.err
    assert "check --ping" in ran.err
    assert "secret-uuid" not in ran.err


def test_a_monitor_that_is_down_is_a_warning(settled: Account) -> None:
    ran = settled.sync("--ping", "http://127.0.0.1:9/secret-uuid")

    assert ran.code == 0
    assert ran.err.startswith("Warning: The ping to 127.0.0.1:9 failed (")


def test_a_proxy_that_cannot_be_used_for_the_ping_is_a_warning(settled: Account) -> None:
    ran = settled.sync("--ping", "https://monitor.invalid/x", HTTPS_PROXY="nonsense://127.0.0.1:9")

    assert (ran.code, ran.json["results"]) == (0, 20)
    assert ran.err.startswith("Warning: The ping to monitor.invalid failed (")
    assert "Traceback" not in ran.err


def test_a_monitor_that_does_not_answer_holds_a_sync_up_for_seconds_only(
    quick: Account, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ping, "SECONDS", 0.3)
    monitor.delay = HANG
    began = time.monotonic()

    ran = quick.sync("--ping", monitor.url, CEKURA_API_KEY="")

    assert ran.code == 2
    assert time.monotonic() - began < monitor.delay
    assert ran.err.startswith("Warning: The ping to 127.0.0.1")


@pytest.mark.parametrize(
    "address",
    ["hc-ping.com/x", "http://hc-ping.com/x", "ftp://hc-ping.com/x", "https://", "https://a:b@hc-ping.com/x", "https://hc-ping.com/x y"],
)  # fmt: skip
def test_a_ping_goes_over_https_or_nowhere(quick: Account, address: str) -> None:
    ran = quick.sync("--ping", address)

    assert (ran.code, "--ping" in ran.err) == (2, True)
    assert quick.sandbox.requests == []


def test_a_dry_run_is_no_sync_to_those_who_watch(quick: Account, monitor: Monitor, tmp_path: Path) -> None:
    file = tmp_path / "cekura.prom"

    assert quick.sync("--dry-run", "--ping", monitor.url, "--metrics", str(file)).code == 0
    assert monitor.told == []
    assert not file.exists()


def under_way(account: Account, monitor: Monitor, *options: str) -> Started:
    """A sync in a process of its own, caught while it waits for the API."""
    account.sandbox.latency = HANG
    process = account.spawn("--ping", monitor.url, *options)
    until = time.monotonic() + PATIENCE
    while not (account.sandbox.requests and monitor.told) and time.monotonic() < until:
        time.sleep(0.02)
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_is_told_to_the_switch_and_the_metrics(
    quick: Account, monitor: Monitor, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    file = tmp_path / "cekura.prom"
    process = under_way(quick, monitor, "--metrics", str(file))

    process.send_signal(number)
    process.communicate(timeout=PATIENCE)

    assert process.returncode == code
    assert monitor.told[-1] == ("/secret-uuid/fail", f"exit code {code}\n".encode())
    assert samples(file)["cekura_sync_last_run_exit_code"] == code


def test_a_process_that_is_killed_tells_nothing_more_so_the_switch_hears_a_start_without_an_end(
    quick: Account, monitor: Monitor
) -> None:
    process = under_way(quick, monitor)

    process.kill()
    process.communicate(timeout=PATIENCE)

    assert [path for path, _ in monitor.told] == ["/secret-uuid/start"]


# -- metrics ----------------------------------------------------------------------------------------------------------


def samples(file: Path) -> dict[str, float]:
    """As Prometheus' own parser reads the file."""
    families = list(text_string_to_metric_families(file.read_text()))
    assert all(family.documentation and family.type in ("gauge", "counter") for family in families)
    assert [family.samples[0].labels["version"] for family in families if "build_info" in family.name] == [
        __version__
    ]
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_metrics_tell_what_a_sync_did(settled: Account, tmp_path: Path) -> None:
    file = tmp_path / "cekura.prom"
    settled.world.insert(2)
    began = time.time()

    ran = settled.sync("--metrics", str(file))

    found = samples(file)
    assert found["cekura_sync_last_run_exit_code"] == 0
    assert began <= found["cekura_sync_last_success_timestamp_seconds"] <= time.time()
    assert (
        found["cekura_sync_last_run_timestamp_seconds"] == found["cekura_sync_last_success_timestamp_seconds"]
    )
    assert 0 < found["cekura_sync_last_run_duration_seconds"] < 60
    for name in (
        "requests",
        "retries",
        "rows_read",
        "inserted",
        "updated",
        "deleted",
        "restored",
        "rejected",
    ):
        assert found[f"cekura_sync_{name}_total"] == ran.json[name], name
    assert (found["cekura_sync_results"], found["cekura_sync_in_flight"]) == (22, 0)
    assert found["cekura_sync_inserted_total"] == 2
    assert (found["cekura_sync_runs_total"], found["cekura_sync_failures_total"]) == (1, 0)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir() if ".prom" in path.name] == ["cekura.prom"]


def test_metrics_of_a_failure_keep_the_last_success(settled: Account, tmp_path: Path) -> None:
    file = tmp_path / "cekura.prom"
    settled.sync(CEKURA_METRICS=str(file))
    before = samples(file)

    assert settled.sync(CEKURA_METRICS=str(file), CEKURA_API_KEY="another").code == 3

    after = samples(file)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {
        "cekura_sync_last_run_timestamp_seconds",
        "cekura_sync_last_run_exit_code",
        "cekura_sync_last_run_duration_seconds",
        "cekura_sync_runs_total",
        "cekura_sync_failures_total",
    }
    assert after["cekura_sync_last_run_exit_code"] == 3
    assert after["cekura_sync_failures_total"] == 1


def test_metrics_know_the_last_full_sync_and_how_many_details_are_left(
    quick: Account, tmp_path: Path
) -> None:
    file = tmp_path / "cekura.prom"
    quick.sync("--metrics", str(file), "--details", "--details-budget", "5")
    first = samples(file)
    assert first["cekura_sync_details_left"] == 15
    assert (
        first["cekura_sync_last_full_success_timestamp_seconds"]
        == first["cekura_sync_last_success_timestamp_seconds"]
    )

    assert quick.sync("--metrics", str(file)).json["mode"] == "quick"

    second = samples(file)
    assert "cekura_sync_details_left" not in second
    full = "cekura_sync_last_full_success_timestamp_seconds"
    assert first[full] == second[full] < second["cekura_sync_last_success_timestamp_seconds"]


def test_metrics_count_on_from_sync_to_sync(settled: Account, tmp_path: Path) -> None:
    file = tmp_path / "cekura.prom"
    settled.world.insert(2)
    for _ in range(3):
        settled.sync("--metrics", str(file))

    found = samples(file)
    assert (found["cekura_sync_runs_total"], found["cekura_sync_inserted_total"]) == (3, 2)
    assert found["cekura_sync_rows_read_total"] == 66


def test_before_the_first_success_its_time_is_0_so_that_an_alert_on_its_age_fires(
    quick: Account, tmp_path: Path
) -> None:
    file = tmp_path / "cekura.prom"

    quick.sync("--metrics", str(file), CEKURA_API_KEY="")

    found = samples(file)
    assert (found["cekura_sync_last_success_timestamp_seconds"], found["cekura_sync_last_run_exit_code"]) == (
        0,
        2,
    )
    assert "cekura_sync_results" not in found


def test_jobs_of_one_exporter_differ_by_warehouse_and_scope(settled: Account, tmp_path: Path) -> None:
    file = tmp_path / "cekura.prom"

    for _ in range(2):
        settled.sync("--metrics", str(file), "--search", 'a "b"\\c\u2028d')

    families = {family.name: family.samples[0] for family in text_string_to_metric_families(file.read_text())}
    runs = families["cekura_sync_runs"]
    assert runs.labels == {"warehouse": str(settled.warehouse), "scope": 'search=a "b"\\c\u2028d'}
    assert runs.value == 2


@pytest.mark.parametrize(
    "place",
    [
        "missing/cekura.prom",
        ".",
        "notes.txt",
        "warehouse.duckdb",
        "warehouse.duckdb.wal",
        "warehouse.duckdb.d/cekura.prom",
    ],
)
def test_metrics_that_cannot_be_written_are_a_warning_and_no_other_file_is_replaced(
    settled: Account, tmp_path: Path, place: str
) -> None:
    (tmp_path / "notes.txt").write_text("These are my notes.\n")

    ran = settled.sync("--metrics", str(tmp_path / place))

    assert not {tmp_path / "warehouse.duckdb.wal", settled.home / "cekura.prom"} & {*tmp_path.rglob("*")}
    assert ran.code == 0, ran.err
    assert ran.err.startswith("Warning: The metrics cannot be written (")
    assert "check --metrics" in ran.err
    assert (tmp_path / "notes.txt").read_text() == "These are my notes.\n"
    settled.assert_equals_api()


# -- log lines --------------------------------------------------------------------------------------------------------


def lines(text: str) -> list[dict[str, object]]:
    found = [json.loads(line) for line in text.splitlines()]
    for line in found:
        assert list(line)[:4] == ["time", "level", "event", "message"]
        assert datetime.fromisoformat(line["time"]).tzinfo is not None
    return found


def test_log_lines_are_objects_and_the_last_one_says_what_was_done(settled: Account) -> None:
    ran = settled.run("sync", "-v", "--log-format", "json")

    *_, last = lines(ran.err)
    assert (ran.code, ran.out) == (0, "")
    assert (last["level"], last["event"], last["results"], last["mode"]) == ("info", "done", 20, "quick")
    assert "20 results in the warehouse" in str(last["message"])


def test_warnings_and_failures_are_objects_too(settled: Account) -> None:
    settled.world.edit(max(settled.world.results), total_runs_count="many")
    (warning,) = lines(settled.run("sync", "-q", CEKURA_LOG_FORMAT="json").err)
    assert (warning["level"], warning["event"]) == ("warning", "warning")
    assert str(warning["message"]).startswith("1 rows could not be stored")

    settled.sandbox.faults.append(Fault("401"))
    (failure,) = lines(settled.run("sync", CEKURA_LOG_FORMAT="json").err)
    assert (failure["level"], failure["event"], failure["exit_code"]) == ("error", "failed", 3)


@pytest.mark.parametrize("arguments", [["--page-size", "0"], ["--no-such-option"], ["--lookback", "soon"]])
def test_a_command_line_that_is_wrong_is_told_in_the_form_it_asks_for(
    quick: Account, arguments: list[str]
) -> None:
    for form in (["--log-format", "json"], ["--log-format=json"]):
        (failure,) = lines(quick.run("sync", *form, *arguments).err)
        assert failure["exit_code"] == 2


def test_an_option_for_text_goes_before_a_variable_for_json(settled: Account) -> None:
    assert settled.run("sync", "--log-format", "text", CEKURA_LOG_FORMAT="json").err.startswith(
        "Quick sync: "
    )


def test_an_unknown_form_of_log_lines_exits_2(quick: Account) -> None:
    assert quick.run("sync", "--log-format", "xml").code == 2
    assert quick.run("sync", CEKURA_LOG_FORMAT="xml").code == 2


def test_progress_is_an_object_with_its_figures(settled: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cekura_sync.console.terminal.LINE_EVERY", 0.0)

    first, *_ = lines(settled.run("sync", "--full", "--page-size", "10", "--log-format", "json").err)

    assert (first["event"], first["pages"], first["rows"]) == ("progress", 1, 10)


# -- the published file -----------------------------------------------------------------------------------------------

LOG = "select changed from cekura.sync_log order by generation, finished_at"
LAST = "select last_sync_at, overdue_at from analytics.sync_status"


def test_on_a_quiet_weekend_the_published_file_is_replaced_once_an_hour_and_has_every_sync(
    settled: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = settled.warehouse.read_bytes()

    settled.sync()
    settled.sync()
    assert settled.warehouse.read_bytes() == published

    monkeypatch.setattr("cekura_sync.warehouse.file.LOG_AT_LEAST_EVERY", timedelta(0))  # an hour has passed
    assert settled.sync().json["changed"] is False

    assert settled.query(LOG) == [(True,), (False,), (False,), (False,)]
    ((last, overdue),) = settled.query(LAST)
    assert last.isoformat() == settled.run("status", "--json").json["last_sync"]
    assert overdue - last >= timedelta(minutes=90)


def test_however_often_one_syncs_few_of_them_wait_to_be_published(
    settled: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cekura_sync.warehouse.file.PENDING_AT_MOST", 2)
    for _ in range(4):
        settled.sync()

    assert settled.query(LOG) == [(True,), (False,), (False,), (False,)]
    assert len((settled.home / "pending_log.jsonl").read_text().splitlines()) == 1


@pytest.mark.long
def test_a_clock_that_was_ahead_once_does_not_keep_later_syncs_from_the_published_file(
    quick: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(days=400))
        quick.sandbox.date = clock.now
        assert quick.sync().code == 0
    quick.sandbox.date = clock.now
    began = datetime.now(UTC)

    quick.sync()

    ((last, _),) = quick.query(LAST)
    assert began < last < datetime.now(UTC)
