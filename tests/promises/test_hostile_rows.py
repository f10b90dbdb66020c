"""Rows that cannot be stored cost nobody else anything: they are kept with their reason, and taken once they are mended.

All hostile rows are served at once to a warehouse that knows their good versions, then mended; each is judged by itself.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cekura_sync.api import client
from cekura_sync.sandbox import Answer, Request, Sandbox, World
from support.harness import Account, NewAccount, Ran, Record, assert_same
from support.hostile_fields import FIELDS

Row = dict[str, Any]


def dump(row: Row) -> bytes:
    return json.dumps(row).encode()


def put(name: str, text: str) -> Callable[[Row], bytes]:
    """The row with this JSON text as a field's value."""
    return lambda row: dump(row | {name: "@@"}).replace(b'"@@"', text.encode("utf-8", "surrogatepass"))


def without(name: str) -> Callable[[Row], bytes]:
    return lambda row: dump({key: value for key, value in row.items() if key != name})


def with_runs(*runs: object) -> Callable[[Row], bytes]:
    return lambda row: dump(row | {"runs": list(runs)})


# A known row turns into what cannot be stored: the sentence, how, and what its reason says.
FLAWS: dict[str, tuple[Callable[[Row], bytes], str]] = {
    "success_rate is NaN": (put("success_rate", "NaN"), "not valid JSON"),
    "success_rate is infinite": (put("success_rate", "-Infinity"), "not valid JSON"),
    "success_rate is the text NaN": (put("success_rate", '"NaN"'), "success_rate is not a finite number"),
    "success_rate is beyond any double": (put("success_rate", "1e999"), "success_rate"),
    "success_rate has 400 digits": (put("success_rate", "1" * 400), "success_rate is not a finite number: 1111"),
    "success_rate is a text": (put("success_rate", '"most"'), "success_rate is not a finite number: most"),
    "the name is a lone surrogate": (put("name", '"\\ud83d alone"'), "not valid JSON"),
    "created_at is a lone surrogate": (put("created_at", '"\\ud83d"'), "not valid JSON"),
    "it is no JSON, has a name of escapes and what was said": (
        lambda row: dump(row | {"name": "🙂"})[:-1] + b', "n": 01, "transcript": "hello"}', "not valid JSON"),
    "the name is invalid UTF-8": (lambda row: dump(row | {"name": "@@"}).replace(b"@@", b"\xff\xfe"), "not valid JSON"),
    "the name holds a bare control character": (put("name", '"a\nb"'), "not valid JSON"),
    "a count is beyond 64 bits": (put("total_runs_count", "9223372036854775808"), "total_runs_count is not a 64-bit integer"),
    "a count has a fraction": (put("total_runs_count", "10.5"), "total_runs_count is not a 64-bit integer: 10.5"),
    "a count is a text": (put("failed_runs_count", '"few"'), "failed_runs_count is not a 64-bit integer: few"),
    "a count is an object": (put("failed_runs_count", '{"n": 1}'), "failed_runs_count is not a 64-bit integer"),
    "the agent is beyond 64 bits": (put("agent", "1" * 30), "agent is not a 64-bit integer"),
    "a flag is neither true nor false": (put("is_cronjob", '"perhaps"'), "is_cronjob is not true or false"),
    "created_at lies in the year 9998": (put("created_at", '"9998-12-31T00:00:00Z"'), "created_at is outside 2000"),
    "updated_at lies in the year 9998": (put("updated_at", '"9998-12-31T00:00:00Z"'), "updated_at is outside 2000"),
    "created_at lies in 1999": (put("created_at", '"1999-12-31T23:59:59Z"'), "created_at is outside 2000"),
    "created_at is missing": (without("created_at"), "created_at is missing"),
    "created_at is null": (put("created_at", "null"), "created_at is missing"),
    "created_at is empty": (put("created_at", '""'), "created_at is missing"),
    "created_at is no time": (put("created_at", '"yesterday"'), "created_at is not a time: yesterday"),
    "created_at is a number": (put("created_at", "1"), "created_at"),
    "a bomb of 100,000 brackets": (put("extra", "[" * 100_000 + "]" * 100_000), "not valid JSON"),
    "a bomb of 100,000 objects": (put("extra", '{"a":' * 100_000 + "1" + "}" * 100_000), "not valid JSON"),
    "a run without id": (with_runs({"status": "completed", "success": True}), "a run has no usable id"),
    "a run whose id is a text": (with_runs({"id": "first", "success": True}), "a run has no usable id"),
    "a run whose id is beyond 64 bits": (with_runs({"id": 10**20}), "a run has no usable id"),
    "a run whose id has a fraction": (with_runs({"id": 10.2}, {"id": 10.4}), "a run has no usable id"),
    "a run whose id is true": (with_runs({"id": True}), "a run has no usable id"),
    "the success of a run is a word": (with_runs({"id": 5, "success": "passed"}), "the success of a run is not true or false"),
    "the success of a run is a share": (with_runs({"id": 5, "success": 0.5}), "the success of a run is not true or false"),
    "a run that is null": (with_runs(None), "a run has no usable id"),
    "a run that is a number": (with_runs(7), "a run has no usable id"),
    "runs are a text": (put("runs", '"none"'), "runs is not a list"),
    "runs are a number": (put("runs", "5"), "runs is not a list"),
    "runs are a fraction": (put("runs", "1.5"), "runs is not a list"),
    "runs are true": (put("runs", "true"), "runs is not a list"),
    "scenarios are a number": (put("scenarios", "5"), "scenarios is not a list"),
    "an id that stands there twice": (lambda row: b'{"id": 7, ' + dump(row)[1:], "its id can be read in two ways"),
}  # fmt: skip

# Rows that nobody knows yet, and that nobody can know by an id.
NAMELESS: dict[str, tuple[bytes, str]] = {
    "a row that is null": (b"null", "not an object"),
    "a row that is a number": (b"17", "not an object"),
    "a row that is a text": (b'"row"', "not an object"),
    "a row that is a list": (b"[1, 2]", "not an object"),
    "a row without id": (b'{"name": "nobody", "created_at": "2026-01-01T00:00:00Z"}', "id is missing"),
    "a row whose id is null": (b'{"id": null, "created_at": "2026-01-01T00:00:00Z"}', "id is missing"),
    "a row whose id is beyond 64 bits": (b'{"id": 9223372036854775808, "created_at": "2026-01-01T00:00:00Z"}', "id is not a 64-bit integer"),
    "a row whose id has no negative in 64 bits": (b'{"id": -9223372036854775808, "created_at": "2026-01-01T00:00:00Z"}', "its id can be read in two ways"),
    "a row whose id has a fraction": (b'{"id": 1.5, "created_at": "2026-01-01T00:00:00Z"}', "id is not a 64-bit integer"),
    "a row whose id is true": (b'{"id": true, "created_at": "2026-01-01T00:00:00Z"}', "id is not a 64-bit integer"),
    "a row whose id is a word": (b'{"id": "twelve", "created_at": "2026-01-01T00:00:00Z"}', "id is not a 64-bit integer"),
}  # fmt: skip


@dataclass
class Story:
    """What was known, what a hostile sync left, and what remained after the rows were mended."""

    ids: dict[str, int]
    before: dict[int, Record]
    hostile: Ran
    stored: dict[int, Record]
    api: dict[int, Record]
    rejected: list[tuple[int | None, str, str]]
    again: Ran
    mended: Ran
    after: dict[int, Record]
    truth: dict[int, Record]
    left: list[tuple[int | None, str, str]]


def rejected(account: Account) -> list[tuple[int | None, str, str]]:
    return account.query("select id, reason, raw from cekura.rejected_rows order by id, reason")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The account of both stories below, after its first sync."""
    world = World(results=135, in_flight=0, runs_per_result=2, days=30)
    with pytest.MonkeyPatch.context() as patch, Sandbox(world, page_size_cap=20) as sandbox:
        patch.setattr(client, "backoff", 0.0)
        account = Account(sandbox, tmp_path_factory.mktemp("hostile") / "warehouse.duckdb")
        assert account.sync().code == 0
        yield account


@pytest.fixture(scope="module")
def story(served: Account) -> Story:
    account, world = served, served.world
    ids = dict(zip(FLAWS, sorted(world.results)[3::3][: len(FLAWS)], strict=True))
    before = account.stored()
    for sentence, (spoil, _) in FLAWS.items():
        world.set_raw(ids[sentence], spoil(dict(world.results[ids[sentence]])))
    nobody = [world.insert(1)[0] for _ in NAMELESS]
    for id_, (raw, _) in zip(nobody, NAMELESS.values(), strict=True):
        world.set_raw(id_, raw)
    world.insert(2)
    world.edit(
        ids["runs are a text"] - 1 if ids["runs are a text"] - 1 in world.results else max(world.results)
    )
    hostile = account.sync("--full")
    api = {id_: row for id_, row in account.api().items() if id_ not in {*ids.values(), *nobody}}
    stored, kept = account.stored(), rejected(account)
    again = account.sync("--full")
    for id_ in ids.values():
        world.set_raw(id_, None)
        world.edit(id_, name="mended")
    for id_ in nobody:
        world.delete(id_)
    mended = account.sync("--full")
    after, truth, left = account.stored(), account.api(), rejected(account)
    return Story(ids, before, hostile, stored, api, kept, again, mended, after, truth, left)


def test_all_other_rows_load_beside_hostile_ones(story: Story) -> None:
    assert story.hostile.code == 0, story.hostile.err
    assert story.hostile.json["rejected"] == len(FLAWS) + len(NAMELESS)
    assert_same({id_: row for id_, row in story.stored.items() if id_ in story.api}, story.api)
    assert story.stored.keys() == story.api.keys() | set(story.ids.values())


def test_the_watermark_of_a_sync_with_hostile_rows_is_not_in_the_future(story: Story) -> None:
    now = datetime.now(UTC)
    assert now - timedelta(days=1) < datetime.fromisoformat(story.hostile.json["watermark"]) <= now


def test_rows_rejected_before_are_no_change(story: Story) -> None:
    assert story.again.code == 0
    assert story.again.json["rejected"] == len(FLAWS) + len(NAMELESS)
    assert story.again.json["changed"] is False


@pytest.mark.parametrize("sentence", FLAWS)
def test_a_known_row_that_cannot_be_taken_keeps_its_last_good_version(story: Story, sentence: str) -> None:
    id_, (_, reason) = story.ids[sentence], FLAWS[sentence]
    found = [(why, raw) for known, why, raw in story.rejected if known == id_]

    assert len(found) == 1
    assert reason in found[0][0]
    assert str(id_) in found[0][1][:80]
    assert story.stored[id_] == story.before[id_]


@pytest.mark.parametrize("sentence", NAMELESS)
def test_a_row_without_a_usable_id_is_kept_aside(story: Story, sentence: str) -> None:
    raw, reason = NAMELESS[sentence]
    found = [why for known, why, text in story.rejected if known is None and text == raw.decode()]

    assert len(found) == 1
    assert reason in found[0]


@pytest.mark.parametrize("sentence", FLAWS)
def test_a_mended_row_is_taken_and_leaves_the_rejected_rows(story: Story, sentence: str) -> None:
    id_ = story.ids[sentence]

    assert story.mended.code == 0, story.mended.err
    assert story.after[id_] == story.truth[id_]
    assert story.after[id_]["name"] == "mended"
    assert id_ not in [known for known, _, _ in story.left]


def test_after_mending_the_warehouse_equals_the_api(story: Story) -> None:
    assert_same(story.after, story.truth)


# -- rows that are odd, but can be taken ------------------------------------------------------------------------------

NAMES = {
    "NUL": "before\0after",
    "emoji and families of them": "🙂 👩‍👩‍👧‍👦 🏳️‍🌈",
    "right to left": "\u202eevil\u202c שלום مرحبا",
    "quotes and backslashes": """'"`\\ \\\\ \\u0041 ''; drop table results; --""",
    "controls": "\x01\x1b[2J\x7f\t\r\n\u2028\u0085",
    "a megabyte": "ä" * (1 << 19),
    "nothing": "",
    "spaces": "  ",
    "the word null": "null",
    "a JSON text": '{"id": 1, "runs": []}',
    "an unassigned character": "\U0010ffff\ufffe",
    "combining characters that no form is forced on": "e\u0301 é \u212b",
}


TYPES = [1, "one", 1.5, True, None, [1], {"a": 1}, 2**70, "2026-01-01"]
NO_VALUE = ("agent", "agent_inbound", "success_rate", "is_cronjob", "failed_runs_count", "updated_at")
LOST = {"id is missing", "by id: Asked for result"}  # of the one without an id, in the list and by id
IN_ROWS = {key: value for key, value in FIELDS.items() if key != "result_id"}
IN_RUNS = {key: value for key, value in FIELDS.items() if key != "raw"}


@dataclass
class Odd:
    """Which results are odd, in which way; and what the syncs said that met them all at once, and then once more."""

    account: Account
    names: dict[int, str]
    types: list[int]
    empty: list[int]  # one with empty texts, one with nulls
    fields: int  # with the fields in its row
    twice: int
    duplicate: int
    one_run: tuple[int, int, int]  # which run, of which result, and which older one lists it as well
    met: Ran
    again: Ran


@pytest.fixture(scope="module")
def odd(served: Account, story: Story) -> Odd:
    account, world = served, served.world
    ids = iter(sorted(world.results, reverse=True))
    names = {next(ids): name for name in NAMES.values()}
    for id_, name in names.items():
        runs = [run | {"scenario_name": name} for run in world.results[id_]["runs"]]
        world.edit(id_, name=name, agent_name=name, runs=runs, scenarios=[{"id": 1, "name": name}])
    fields, in_runs, twice = next(ids), next(ids), next(ids)
    world.edit(fields, **IN_ROWS)
    world.edit(in_runs, runs=[world.results[in_runs]["runs"][0] | IN_RUNS])
    types = [next(ids) for _ in TYPES]
    for id_, value in zip(types, TYPES, strict=True):
        world.edit(id_, mood=value)
    world.edit(twice, runs=world.results[twice]["runs"] * 2)
    other, one = next(ids), next(ids)
    shared = {**world.results[one]["runs"][0], "rowid": "x"}
    world.touchless_edit(one, runs=[shared, *world.results[one]["runs"][1:]])
    world.touchless_edit(other, runs=[*world.results[other]["runs"], shared])
    empty, duplicate = [next(ids), next(ids)], next(ids)
    for id_, nothing in zip(empty, ("", None), strict=True):
        world.set_raw(id_, dump(world.results[id_] | dict.fromkeys(NO_VALUE, nothing)))
    world.set_raw(duplicate, dump(world.results[duplicate])[:-1] + b', "name": "second", "NAME": "third"}')
    as_text, lost = next(ids), next(ids)
    world.set_raw(as_text, dump(world.results[as_text] | {"id": str(as_text)}))
    world.set_raw(lost, dump(world.results[lost] | {"id": None}))
    met = account.sync("--full")
    return Odd(
        account,
        names,
        types,
        empty,
        fields,
        twice,
        duplicate,
        (shared["id"], other, one),
        met,
        account.sync("--full"),
    )


@pytest.mark.long
def test_all_rows_load_that_are_odd_but_can_be_taken(odd: Odd) -> None:
    """Names arrive byte for byte; an id that is sent as text is the number; of a run that two results list, the newer has it; one whose id is lost in list and by id keeps its last good version."""
    assert odd.met.code == 0, odd.met.err
    assert {reason[:23] for _, reason, _ in rejected(odd.account)} == LOST
    stored, api = odd.account.stored(), odd.account.api()
    spelled_otherwise = {*odd.empty, odd.duplicate, odd.twice, odd.one_run[2]}
    assert stored.keys() == api.keys()
    one = {id_: row for id_, row in stored.items() if id_ not in spelled_otherwise}
    assert_same(one, {id_: row for id_, row in api.items() if id_ not in spelled_otherwise})
    assert {id_: stored[id_]["agent_name"] for id_ in odd.names} == odd.names
    assert (odd.again.code, odd.again.json["changed"]) == (0, False), odd.again.err


@pytest.mark.long
def test_fields_with_hostile_names_harm_nobody(odd: Odd) -> None:
    flagged = "select count(*) from cekura.results where deleted_at is not null and name = 'mended' or aged_out_at is not null"
    assert odd.account.query(flagged) == [(0,)]
    values = {
        value for row in odd.account.query(f"from cekura.results where id = {odd.fields}") for value in row
    }
    for expected in (
        "a keyword",
        "not ours",
        "q",
        "s",
        "u",
        "digits first",
        "a dot",
        "two underscores",
        "one underscore",
        "a long name",
        "another long name",
        "cut, it ends with an underscore",
        "no letter that a column's name may hold",
        "another one",
        "a smile",
        "underscores",
        "DuckDB's own",
        '{"deep":[1,{"er":null}]}',
        "12345678901234567890123",
    ):
        assert expected in values


def test_a_run_listed_twice_is_one_run(odd: Odd) -> None:
    stored = odd.account.query(f"select id from cekura.runs where result_id = {odd.twice} order by id")
    ids = {run["id"] for run in odd.account.world.results[odd.twice]["runs"]}
    assert stored == [(id_,) for id_ in sorted(ids)]


def test_a_run_field_named_like_a_number_of_duckdbs_decides_nothing(odd: Odd) -> None:
    run_id, result_id, _ = odd.one_run
    run = f"select result_id, api_rowid from cekura.runs where id = {run_id}"
    assert odd.account.query(run) == [(result_id, "x")]


def test_an_empty_text_where_a_number_a_flag_or_a_time_belongs_is_no_value(odd: Odd) -> None:
    """Fields may change their type from row to row, and from sync to sync."""
    account, world = odd.account, odd.account.world
    ids = ", ".join(map(str, odd.empty))
    values = account.query(f"select {', '.join(NO_VALUE)} from cekura.results where id in ({ids})")
    assert values == [(None,) * len(NO_VALUE)] * 2
    for id_ in odd.empty:
        world.set_raw(id_, dump(world.results[id_] | {"updated_at": ""}))
    for id_, value in zip(odd.types, TYPES[1:] + TYPES[:1], strict=True):
        world.edit(id_, mood=value)

    ran = account.sync("--full")

    assert ran.code == 0, ran.err
    assert {reason[:23] for _, reason, _ in rejected(account)} == LOST
    moods = dict(account.query("select id, mood from cekura.results where mood is not null"))
    assert [moods[odd.types[place]] for place in (0, 1, 5)] == ["one", "1.5", '{"a":1}']


KEYED = {"results": 40, "agents": 3, "runs_per_result": 2, "in_flight": 0}


@pytest.fixture
def keyed(new_synced: NewAccount) -> Account:
    """After a first sync with details: every row has fields of its own, two have the hostile ones."""
    return new_synced("--details", **KEYED, arrange=add_fields)


def add_fields(account: Account) -> None:
    settings = {"voice": "f", "language": "de", "limits": {"seconds": 30, "turns": 5}}
    newest, second = sorted(account.world.results, reverse=True)[:2]
    for row in account.world.results.values():
        more = IN_RUNS if row["id"] == second else {}
        runs = [run | {"profile": {"name": "Ann", "age": 40}} | more for run in row["runs"]]
        account.world.touchless_edit(row["id"], settings=settings, score=1, runs=runs)
    account.world.touchless_edit(newest, **IN_ROWS)


def test_fields_with_hostile_names_may_come_change_and_go_again(keyed: Account) -> None:
    newest, second = sorted(keyed.world.results, reverse=True)[:2]
    some_run = {
        key: value for key, value in keyed.world.results[second]["runs"][0].items() if key not in IN_RUNS
    }
    gone = dict.fromkeys(IN_ROWS)
    keyed.assert_equals_api()
    for turn, row, run in (("change", IN_ROWS, IN_RUNS), ("go", gone, {})):
        values = {key: f"{value} {turn}" if isinstance(value, str) else value for key, value in row.items()}
        keyed.world.edit(newest, **values)
        keyed.world.edit(second, name=turn, runs=[some_run | run])

        ran = keyed.sync("--details")

        assert ran.code == 0, (turn, ran.err)
        keyed.assert_equals_api()
        kept = keyed.query(f"from cekura.results where id = {newest}")[0]
        assert turn == "go" or f"a smile {turn}" in kept
    assert "a smile change" not in kept


def test_keys_in_another_order_and_numbers_spelled_otherwise_are_no_change(keyed: Account) -> None:
    turned = {"limits": {"turns": 5.0, "seconds": 30}, "language": "de", "voice": "f"}
    for row in keyed.world.results.values():
        runs = [
            dict(reversed(run.items())) | {"profile": {"age": 40.0, "name": "Ann"}} for run in row["runs"]
        ]
        keyed.world.set_raw(row["id"], dump(row | {"settings": turned, "score": 1.0, "runs": runs}))

    again = keyed.sync("--full", "--details")

    assert (again.json["updated"], again.json["details_read"], again.json["changed"]) == (0, 0, False)


def start_three_long_ago(account: Account) -> None:
    oldest = account.world.results[min(account.world.results)]
    created = datetime.fromisoformat(oldest["created_at"]) + timedelta(seconds=1)
    account.world.insert(3, status="running", created_at=created)


@pytest.mark.long
def test_a_row_in_flight_that_cannot_be_taken_by_id_keeps_its_last_good_version(
    new_synced: NewAccount,
) -> None:
    """One whose own address fails or names no id is noted, and not asked for at every sync."""
    account = new_synced(results=60, in_flight=0, page_size_cap=20, arrange=start_three_long_ago)
    world = account.world
    spoiled, failing, nameless = sorted(world.results)[-3:]
    former = account.stored()

    def spoil(request: Request, payload: Row) -> bytes | None:
        spoils = {f"/{spoiled}/": {"total_runs_count": "many"}, f"/{nameless}/": {"id": None}}
        return next((dump(payload | odd) for own, odd in spoils.items() if request.path.endswith(own)), None)

    account.sandbox.rewrite = spoil
    account.sandbox.intercept = lambda request: (
        Answer(500, b"{}") if request.path.endswith(f"/{failing}/") else None
    )
    world.insert(1)
    world.finish([failing, nameless])

    ran = account.sync("--lookback", "0")

    assert (ran.code, ran.json["rejected"]) == (0, 3), ran.err
    three = (spoiled, failing, nameless)
    assert [account.stored()[id_] for id_ in three] == [former[id_] for id_ in three]
    reasons = {id_: reason for id_, reason, _ in rejected(account)}
    assert reasons.keys() == {*three}
    assert reasons[failing].startswith("by id: The API is down (500")
    assert reasons[nameless].startswith(
        f"by id: Asked for result {nameless}, the API answers with another id or with none: "
    )
    account.sandbox.rewrite = None
    world.finish()
    account.sandbox.reset_requests()
    assert account.sync("--lookback", "0").json["rejected"] == 0
    asked = {request.path.split("/")[-2] for request in account.sandbox.requests}
    assert asked.isdisjoint({str(failing), str(nameless)})
    assert_same({spoiled: account.stored()[spoiled]}, {spoiled: account.api()[spoiled]})
    account.sandbox.intercept = None
    assert account.sync("--full").code == 0
    account.assert_equals_api()
    assert rejected(account) == []


# By id another reason comes first; and of two ids, the last one counts.
OTHERWISE = {
    "created_at is missing": "is not a result",
    "success_rate is beyond any double": "not valid JSON",
}
BY_ID = {sentence: OTHERWISE.get(sentence, reason) for sentence, (_, reason) in FLAWS.items()}
del BY_ID["an id that stands there twice"]


def start_many_long_ago(account: Account) -> None:
    oldest = datetime.fromisoformat(account.world.results[min(account.world.results)]["created_at"])
    account.world.insert(len(BY_ID), status="running", created_at=oldest + timedelta(seconds=1))


@pytest.mark.long
def test_what_cannot_be_taken_from_the_list_cannot_be_taken_by_id_and_stops_no_sync(
    new_synced: NewAccount,
) -> None:
    account = new_synced(results=60, in_flight=0, page_size_cap=20, arrange=start_many_long_ago)
    running = [id_ for id_, row in account.world.results.items() if row["status"] == "running"]
    sentences, former = dict(zip(sorted(running), BY_ID, strict=True)), account.stored()

    def spoil(_: Request, payload: Row) -> bytes | None:
        sentence = sentences.get(payload.get("id", 0))
        return FLAWS[sentence][0](payload) if sentence else None

    account.sandbox.rewrite = spoil
    account.world.insert(1)
    account.world.finish(running)

    ran = account.sync("--lookback", "0")

    assert ran.code == 0, ran.err
    assert ran.json["rejected"] == len(BY_ID)
    assert {id_: account.stored()[id_] for id_ in running} == {id_: former[id_] for id_ in running}
    reasons = {id_: reason for id_, reason, _ in rejected(account)}
    expected = {id_: BY_ID[sentence] for id_, sentence in sentences.items()}
    assert {id_: reasons[id_] for id_, reason in expected.items() if reason not in reasons[id_]} == {}


def test_a_result_that_the_list_lacks_and_whose_record_cannot_be_read_stops_no_quick_sync(
    new_synced: NewAccount,
) -> None:
    account = new_synced(results=60, in_flight=0, runs_per_result=1, page_size_cap=20)
    lacking = sorted(account.world.results)[-3]
    body = dump(account.world.results[lacking])[:-1] + b', "success_rate": 01}'
    account.world.delete(lacking)
    account.sandbox.intercept = lambda request: (
        Answer(200, body) if request.path.endswith(f"/{lacking}/") else None
    )

    ran = account.sync("--lookback", "0")

    assert (ran.code, ran.json["mode"], ran.json["rejected"], ran.json["deleted"]) == (0, "quick", 1, 0), (
        ran.err
    )


@pytest.mark.parametrize("digits", [40, 400])
def test_a_count_beyond_all_numbers_stops_no_sync(settled: Account, digits: int) -> None:
    settled.sandbox.rewrite = lambda _, payload: (
        payload.update(count=10**digits) if "count" in payload else None
    )

    assert settled.sync("--full").code == 0
    settled.assert_equals_api()


def test_fields_that_differ_only_by_capital_letters_are_named(settled: Account) -> None:
    newest = max(settled.world.results)
    runs = [{**run, "Status": "shouted"} for run in settled.world.results[newest]["runs"]]
    settled.world.touchless_edit(newest, NAME="shouted", runs=runs)

    ran = settled.sync()

    assert ran.code == 0, ran.err
    assert "2 fields of the API were left out, such as NAME" in ran.err
