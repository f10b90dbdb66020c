"""`sync --notify`: what is new is told once, to whoever listens, and never makes a sync fail."""

import importlib.util
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb
import pytest

from cekura_sync import clock
from cekura_sync.notify import receivers
from cekura_sync.notify.message import Message
from support.first_syncs import FirstSyncs
from support.harness import Account, NewAccount, Ran
from support.listener import Listener, listening
from support.shared import Shared

APPRISE = pytest.mark.skipif(importlib.util.find_spec("apprise") is None, reason="apprise is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise uses it
KIND = "an agent that somebody wants to hear of"
NAME = "<!channel> & Söhne *bold*"


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as heard:
        yield heard


@pytest.fixture
def unsynced(new_account: NewAccount, first_syncs: FirstSyncs) -> Account:
    """One agent with a suite of six passing runs a day for 34 days."""
    return with_suites(new_account(results=0, agents=1, now=first_syncs.now()))


def with_suites(account: Account) -> Account:
    for day in range(34, 0, -1):
        suite(account, day=day, passing=6)
    return account


@pytest.fixture
def account(unsynced: Account, first_syncs: FirstSyncs) -> Account:
    first_syncs.give(unsynced, kind=KIND)
    return unsynced


def suite(account: Account, passing: int, day: float = 0.0, **fields: Any) -> int:
    (agent,) = account.world.agents
    first = 1_000_000 + 10 * len(account.world.entries)
    runs = [
        {
            "id": first + place,
            "status": "completed",
            "success": place < passing,
            "scenario": scenario.id,
            "scenario_name": scenario.name,
        }
        for place, scenario in enumerate(agent.scenarios[:6])
    ]
    at = account.world.clock() - timedelta(days=day)
    fields = {
        "name": "Suite",
        "run_as_text": False,
        "agent_name": NAME,
        "updated_at": at.isoformat(),
    } | fields
    (result_id,) = account.world.insert(created_at=at, runs=runs, **fields)
    return result_id


def fall(account: Account) -> list[int]:
    return [suite(account, passing=2) for _ in range(6)]


def recover(account: Account, bad: list[int]) -> None:
    """The failed results were re-evaluated."""
    for result_id in bad:
        runs = [{**run, "success": True} for run in account.world.results[result_id]["runs"]]
        account.world.edit(result_id, runs=runs)


def texts(listener: Listener) -> list[str]:
    return [body["text"] for body in listener.heard]


# -- what is told -----------------------------------------------------------------------------------------------------


def test_a_fall_is_told_once_and_so_is_the_recovery(account: Account, listener: Listener) -> None:
    def sync() -> Ran:
        return account.sync("--notify", listener.slack)

    assert (sync().code, listener.heard) == (0, [])
    bad = fall(account)
    assert (sync().code, sync().code) == (0, 0)
    (fell,) = texts(listener)
    suite(account, passing=6)  # the table of what was told survives the swaps of other syncs
    assert (sync().code, len(listener.heard)) == (0, 1)
    recover(account, bad)
    assert (sync().code, sync().code) == (0, 0)

    assert fell.startswith("Cekura: 1 agent got worse\n")
    assert "got worse: 67 % of 72 runs passed in the last week, 100 % in the four weeks before." in fell
    assert listener.heard[0].keys() == {"text"}
    _, recovered = texts(listener)
    assert recovered.startswith("Cekura: 1 agent recovered\n")
    assert "67 % when it had got worse, 100 % before that." in recovered


@pytest.mark.long
def test_a_fall_that_still_holds_after_35_days_is_another_one_and_told_again(
    account: Account, listener: Listener
) -> None:
    fall(account)
    for days in (34, 36):
        assert account.sync("--notify", listener.slack).code == 0
        with duckdb.connect(str(account.home / "base.duckdb")) as con:
            con.execute(f"update cekura._told set told_at = current_timestamp - interval '{days} days'")
        suite(account, passing=6)
    assert len(listener.heard) == 1

    assert account.sync("--notify", listener.slack).code == 0

    assert [text.partition("\n")[0] for text in texts(listener)] == ["Cekura: 1 agent got worse"] * 2


def test_a_scenario_that_newly_fails_is_told_until_it_passes_again(
    account: Account, listener: Listener
) -> None:
    heads: list[str] = []
    for passing in (5, 5, 6, 6):
        suite(account, passing)
        assert account.sync("--notify", listener.plain).code == 0
        heads = [text.partition("\n")[0] for text in texts(listener)]

    assert heads == ["Cekura: 1 scenario newly failing"]
    (row,) = listener.heard[0]["news"]
    assert (row["rate"], row["runs"]) == (0, 2)
    assert account.query("select * from cekura._told") == []


@dataclass(frozen=True)
class Told:
    """A fall that two syncs tell: one receiver is down at the first, one refuses, one listens from the second on."""

    account: Account
    first: Ran
    second: Ran
    listener: Listener
    refusing: Listener
    later: Listener


@pytest.fixture(scope="module")
def told(new_account_of_many: NewAccount, first_syncs: FirstSyncs) -> Iterator[Told]:
    account = with_suites(new_account_of_many(results=0, agents=1, now=first_syncs.now()))
    first_syncs.give(account, kind=KIND)
    fall(account)
    options = ("-v", "--transcripts", "--profiles", "--notify")
    with listening() as listener, listening() as refusing, listening() as later:
        refusing.status = 503
        at_first = (listener.slack, "--notify", refusing.slack, "--notify", "http://127.0.0.1:9/verysecret")
        first = account.run("sync", "--json", *options, *at_first)
        refusing.status = 200
        then = (listener.slack, "--notify", refusing.slack, "--notify", later.plain)
        second = account.run("sync", "--json", *options, *then)
        yield Told(account, first, second, listener, refusing, later)


def test_names_are_not_read_as_markup_in_slack(told: Told) -> None:
    (text,) = texts(told.listener)

    assert "&lt;!channel&gt; &amp; Söhne" in text
    assert "<" not in text


def test_another_webhook_gets_the_figures_too(told: Told) -> None:
    (body,) = told.later.heard

    assert body["source"] == "cekura-sync"
    assert NAME in body["text"]
    (agent,) = [row for row in body["news"] if row["kind"] == "regressed"]
    assert (agent["agent_id"], agent["runs"], agent["rate_before"]) == (4101, 72, 1.0)


def test_nothing_that_was_said_is_told(told: Told) -> None:
    said = told.account.query(
        "select distinct content from cekura.transcript_turns where length(content) > 12"
    )

    assert said
    heard = str([*told.listener.heard, *told.refusing.heard, *told.later.heard])
    assert [text for (text,) in said if text in heard] == []


def test_who_listens_later_is_told_what_holds_then_and_nobody_else_again(told: Told) -> None:
    assert (len(told.listener.heard), len(told.later.heard)) == (1, 1)


def test_the_address_is_nowhere_in_the_warehouse(told: Told) -> None:
    assert "News sent to http://127.0.0.1." in told.first.err
    home = told.account.home
    files = [told.account.warehouse, *(path for path in home.rglob("*") if path.is_file())]
    assert [path for path in files if b"verysecret" in path.read_bytes()] == []
    assert "verysecret" not in told.first.out + told.first.err + told.second.out + told.second.err


def test_news_wait_for_a_receiver_that_refuses_and_no_other_is_told_twice(told: Told) -> None:
    assert (told.first.code, told.second.code, "Warning" in told.second.err) == (0, 0, False)
    assert (len(told.listener.heard), len(told.refusing.heard)) == (1, 2)
    said = told.first.err
    assert "The news could not be sent to http://127.0.0.1 (it answers 503): check --notify." in said
    assert "secret" not in said


def test_a_receiver_that_is_down_is_a_warning(told: Told) -> None:
    assert (told.first.code, told.first.json["outcome"]) == (0, "ok")
    assert "Warning: The news could not be sent to http://127.0.0.1 (ConnectError)" in told.first.err


def test_a_dry_run_tells_nobody(account: Account, listener: Listener) -> None:
    fall(account)

    assert account.sync("--dry-run", "--notify", listener.slack).code == 0

    assert listener.heard == []


def test_a_shared_database_remembers_what_was_told(
    unsynced: Account, listener: Listener, server: str
) -> None:
    shared = Shared(unsynced, server.rpartition("/")[0] + "/warehouse")
    bad = fall(unsynced)

    for _ in range(2):
        ran = shared.sync("--notify", listener.slack)
        assert (ran.code, ran.err) == (0, "")
    recover(unsynced, bad)
    assert shared.sync("--notify", listener.slack).code == 0

    assert [text.split("\n")[0] for text in texts(listener)] == [
        "Cekura: 1 agent got worse",
        "Cekura: 1 agent recovered",
    ]


def test_what_time_brings_is_told_by_a_sync_that_changes_nothing(
    account: Account, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = clock.now()
    (result_id,) = account.world.start(1)
    assert account.sync("--notify", listener.plain).code == 0
    monkeypatch.setattr(clock, "now", lambda: began + timedelta(minutes=50))
    assert account.sync("--notify", listener.plain).code == 0
    assert listener.heard == []
    (account.home / "news.json").write_text('{"at": "soon"}')
    monkeypatch.setattr(clock, "now", lambda: began + timedelta(hours=2))

    for _ in range(2):
        ran = account.sync("--notify", listener.plain)
        assert (ran.code, ran.json["changed"]) == (0, False)

    (body,) = listener.heard
    assert [(row["kind"], row["result_id"]) for row in body["news"]] == [("stuck", result_id)]


@pytest.mark.long
def test_an_agent_that_loses_runs_every_night_is_told_once_although_others_run_between(
    new_account: NewAccount, listener: Listener
) -> None:
    account = new_account(results=0, agents=1)
    for day, agent, status in (
        (5.0, 4101, "failed"),
        (3.5, 9, "completed"),
        (2.1, 4101, "failed"),
        (0.9, 4101, "completed"),
        (0.0, 4101, "failed"),
    ):
        runs_of(account, agent, day, status, many=10)
        assert account.sync("--notify", listener.plain).code == 0

    told = [[(row["kind"], row["agent_id"]) for row in body["news"]] for body in listener.heard]
    assert told == [[("runs lost", 4101)], [("runs lost", 4101)]]


def runs_of(account: Account, agent: int, day: float, status: str, many: int) -> None:
    first = 1_000_000 + 100 * len(account.world.entries)
    at = account.world.clock() - timedelta(days=day)
    runs = [
        {"id": first + place, "status": status, "success": True if status == "completed" else None}
        for place in range(many)
    ]
    account.world.insert(created_at=at, updated_at=account.world.clock().isoformat(), agent=agent, runs=runs)


@pytest.mark.long
def test_what_a_sync_without_receivers_brought_is_told_by_the_next_one_with_them(
    account: Account, listener: Listener
) -> None:
    """The lines of those that changed nothing stay in the log when the news are noted."""
    assert account.sync("--notify", listener.plain).code == 0
    fall(account)
    assert account.sync().json["changed"]
    assert not account.sync().json["changed"]

    for _ in range(2):
        assert not account.sync("--notify", listener.plain).json["changed"]

    (body,) = listener.heard
    assert "regressed" in {row["kind"] for row in body["news"]}
    assert account.query("select count(*) from cekura.sync_log") == [(5,)]


@pytest.mark.long
def test_a_result_that_is_stuck_evaluated_and_stuck_again_is_told_once(
    account: Account, listener: Listener
) -> None:
    result_id = suite(account, passing=6, day=0.2, status="running")
    for status in ("running", "completed", "running"):
        account.world.edit(result_id, status=status)
        assert account.sync("--notify", listener.plain).code == 0

    (body,) = listener.heard
    assert [(row["kind"], row["result_id"]) for row in body["news"]] == [("stuck", result_id)]


@pytest.mark.long
def test_nothing_of_an_erased_agent_stays_in_what_was_told(account: Account, listener: Listener) -> None:
    for _ in range(2):
        suite(account, passing=5)
    stuck = suite(account, passing=6, day=0.2, status="running")
    for id_, row in account.world.results.items():
        named = [
            {**run, "scenario": None, "scenario_name": f"Planted {run['id'] % 10}"} for run in row["runs"]
        ]
        account.world.touchless_edit(id_, runs=named)
    assert account.sync("--full", "--notify", listener.plain).code == 0
    kinds = {kind for (kind,) in account.query("select kind from cekura._told")}
    assert kinds == {"newly failing", "stuck"}
    assert account.query("select count(*) from cekura._told where subject like '%Planted%'") == [(0,)]

    assert account.run("erase", "--result", str(stuck)).code == 0
    assert account.query("select distinct kind from cekura._told") == [("newly failing",)]
    assert account.run("erase", "--agent", "4101").code == 0

    assert account.query("select * from cekura._told") == []


# -- receivers that fail ----------------------------------------------------------------------------------------------


def test_a_receiver_that_does_not_answer_holds_a_sync_up_for_seconds_only(
    account: Account, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    fall(account)
    monkeypatch.setattr(receivers, "SECONDS", 0.2)
    listener.hangs = threading.Event()

    ran = account.sync("--notify", listener.slack)
    listener.hangs.set()

    assert ran.code == 0
    assert "could not be sent to http://127.0.0.1" in ran.err
    listener.hangs = None
    account.sync("--notify", listener.slack)
    assert len(listener.heard) == 2


@pytest.mark.long
def test_news_that_could_not_be_noted_are_rather_told_twice_than_never(
    account: Account, listener: Listener
) -> None:
    fall(account)
    in_the_way = account.home / "scratch" / "work.duckdb"
    listener.then = in_the_way.mkdir

    failed = account.sync("--notify", listener.slack)
    listener.then = lambda: None
    again = account.sync("--notify", listener.slack)
    account.sync("--notify", listener.slack)

    assert (failed.code, again.code, again.err, len(listener.heard)) == (0, 0, "", 2)
    assert failed.err.startswith("Warning: The news could not be sent")
    assert account.run("check").code == 0
    account.assert_equals_api()


# -- addresses --------------------------------------------------------------------------------------------------------


@APPRISE
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("hooks.slack.com/services/verysecret", "not a complete address"),
        ("https://", "not a complete address"),
        ("https://user:verysecret@example.org/x", "without a user"),
        ("https://[verysecret", "not a complete address"),
        ("http://example.org/verysecret", "over plain http to example.org"),
        ("json://example.org/verysecret", "over plain http to example.org"),
        ("nonsense://verysecret", "not an address that apprise knows"),
    ],
)
def test_an_address_that_cannot_be_used_exits_2_before_anything_is_read(
    account: Account, url: str, says: str
) -> None:
    for options in (["--notify", url], ["--notify", url, "--notify-test"]):
        ran = account.sync(*options)
        assert ran.code == 2
        assert says in ran.err
        assert "verysecret" not in ran.err + ran.out
    assert account.sandbox.requests == []


def test_without_apprise_its_addresses_are_refused_and_webhooks_are_not(
    account: Account, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)

    assert "needs apprise" in account.run("sync", "--notify", "mailto://x", "--notify-test").err
    assert account.run("sync", "--notify", listener.slack, "--notify-test").code == 0


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("https://hooks.slack.com/services/T1/B1/x", "for_slack"),
        ("https://hooks.slack-gov.com/services/T1/B1/x", "for_slack"),
        ("https://acme.webhook.office.com/webhookb2/x", "for_teams"),
        ("https://prod-01.westus.logic.azure.com:443/workflows/x", "for_teams"),
        ("https://default1.01.environment.api.powerplatform.com/x", "for_teams"),
        ("https://hooks.slack.com.example.org/x", "for_any"),
        ("https://webhook.office.com.example.org/x", "for_any"),
        ("https://ntfy.example.org/topic", "for_any"),
    ],
)
def test_the_host_or_the_path_tells_the_form_of_the_message(url: str, form: str) -> None:
    message = Message("Title", ["A *line* <x>"], [{"kind": "stuck"}])

    (receiver,) = receivers.receivers([url, url], allow_http=False)

    assert receiver.form(message) == getattr(message, form)()


def test_a_card_for_teams_has_a_run_of_plain_text_for_each_line() -> None:
    (attachment,) = Message("Title", ["A *line* <x>"], []).for_teams()["attachments"]

    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    runs = [block["inlines"][0] for block in attachment["content"]["body"]]
    assert [(run["type"], run["text"]) for run in runs] == [("TextRun", "Title"), ("TextRun", "A *line* <x>")]


# -- a sample ---------------------------------------------------------------------------------------------------------


def test_a_sample_is_sent_without_a_sync_and_without_a_key(quick: Account, listener: Listener) -> None:
    ran = quick.run(
        "sync", "--notify-test", CEKURA_NOTIFY=f"{listener.slack} {listener.plain}", CEKURA_API_KEY=""
    )

    assert (ran.code, ran.out) == (0, "")
    assert sorted(body.keys() for body in listener.heard) == sorted([{"text"}, {"source", "text", "news"}])
    assert "This is a test message" in listener.heard[0]["text"]
    assert (quick.sandbox.requests, quick.warehouse.exists()) == ([], False)


def test_a_sample_that_is_not_taken_exits_2(quick: Account, listener: Listener) -> None:
    listener.status = 404

    ran = quick.run("sync", "--notify-test", "--notify", listener.slack)

    assert ran.code == 2
    assert "it answers 404" in ran.err
    assert quick.run("sync", "--notify-test").code == 2


@APPRISE
def test_apprise_delivers_to_what_it_knows(quick: Account, listener: Listener) -> None:
    ran = quick.run("sync", "--notify-test", "--notify", f"json://{listener.address}/verysecret")

    assert ran.code == 0, ran.err
    assert "This is a test message" in listener.heard[0]["message"]
    listener.status = 500
    refused = quick.run("sync", "--notify-test", "--notify", f"json://{listener.address}/verysecret")
    assert (refused.code, "verysecret" in refused.err) == (2, False)
