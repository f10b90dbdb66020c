"""Rows that cannot be stored cost nobody else anything: they are kept with their reason, and taken once they are mended.

All hostile rows are served at once to a warehouse that knows their good versions, then mended; each is judged by itself.
"""

import json
from collections.abc import Callable
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
    "success_rate is a text": (put("success_rate", '"most"'), "success_rate is not a finite number: most"),
    "the name is a lone surrogate": (put("name", '"\\ud83d alone"'), "not valid JSON"),
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
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    world = World(results=120, in_flight=0, runs_per_result=2, days=30)
    with pytest.MonkeyPatch.context() as patch, Sandbox(world, page_size_cap=20) as sandbox:
        patch.setattr(client, "backoff", 0.0)
        account = Account(sandbox, tmp_path_factory.mktemp("hostile") / "warehouse.duckdb")
        assert account.sync().code == 0
        ids = dict(zip(FLAWS, sorted(world.results)[3::3], strict=False))
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
        return Story(
            ids,
            before,
            hostile,
            stored,
            api,
            kept,
            again,
            mended,
            account.stored(),
            account.api(),
            rejected(account),
        )


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


FORTY = {"results": 40, "agents": 3, "runs_per_result": 2}

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


def test_names_arrive_byte_for_byte(synced_account: Account) -> None:
    account = synced_account
    ids = dict(zip(sorted(account.world.results, reverse=True), NAMES.values(), strict=False))
    for id_, name in ids.items():
        runs = [run | {"scenario_name": name} for run in account.world.results[id_]["runs"]]
        account.world.edit(id_, name=name, agent_name=name, runs=runs, scenarios=[{"id": 1, "name": name}])

    ran = account.sync()

    assert ran.code == 0, ran.err
    assert ran.json["rejected"] == 0
    account.assert_equals_api()
    assert account.sync("--full").json["changed"] is False


def test_fields_with_hostile_names_harm_nobody(synced_account: Account) -> None:
    account = synced_account
    newest, second = sorted(account.world.results, reverse=True)[:2]
    account.world.edit(newest, **{key: value for key, value in FIELDS.items() if key != "result_id"})
    some_run = account.world.results[second]["runs"][0]
    account.world.edit(
        second, runs=[some_run | {key: value for key, value in FIELDS.items() if key != "raw"}]
    )

    ran = account.sync()

    assert ran.code == 0, ran.err
    assert (ran.json["updated"], ran.json["rejected"], ran.json["deleted"]) >= (2, 0, 0)
    account.assert_equals_api()
    assert account.query(
        "select count(*) from cekura.results where deleted_at is not null or aged_out_at is not null"
    ) == [(0,)]
    values = {value for row in account.query(f"from cekura.results where id = {newest}") for value in row}
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
    assert account.sync("--full").json["changed"] is False


def test_fields_with_hostile_names_may_come_change_and_go_again(new_synced: NewAccount) -> None:
    account = new_synced(**FORTY)
    newest, second = sorted(account.world.results, reverse=True)[:2]
    in_rows = {key: value for key, value in FIELDS.items() if key != "result_id"}
    in_runs = {key: value for key, value in FIELDS.items() if key != "raw"}
    some_run = account.world.results[second]["runs"][0]
    gone = dict.fromkeys(in_rows)
    for turn, row, run in (("come", in_rows, in_runs), ("change", in_rows, in_runs), ("go", gone, {})):
        values = {key: f"{value} {turn}" if isinstance(value, str) else value for key, value in row.items()}
        account.world.edit(newest, **values)
        account.world.edit(second, name=turn, runs=[some_run | run])

        ran = account.sync("--details")

        assert ran.code == 0, (turn, ran.err)
        account.assert_equals_api()
        kept = account.query(f"from cekura.results where id = {newest}")[0]
        assert turn == "go" or f"a smile {turn}" in kept
    assert "a smile change" not in kept


def test_a_field_may_change_its_type_from_row_to_row(synced_account: Account) -> None:
    account = synced_account
    values = [1, "one", 1.5, True, None, [1], {"a": 1}, 2**70, "2026-01-01"]
    ids = sorted(account.world.results, reverse=True)
    for turn in range(2):
        for id_, value in zip(ids, values[turn:] + values[:turn], strict=False):
            account.world.edit(id_, mood=value)
        assert account.sync().code == 0

    moods = dict(account.query("select id, mood from cekura.results where mood is not null"))
    assert moods[ids[0]] == "one"
    assert moods[ids[1]] == "1.5"
    assert moods[ids[5]] == '{"a":1}'


def test_an_empty_text_where_a_number_a_flag_or_a_time_belongs_is_no_value(synced_account: Account) -> None:
    account = synced_account
    id_, other = sorted(account.world.results)[-12:-10]
    empty = ("agent", "agent_inbound", "success_rate", "is_cronjob", "failed_runs_count", "updated_at")
    account.world.set_raw(id_, dump(account.world.results[id_] | dict.fromkeys(empty, "")))
    account.world.set_raw(other, dump(account.world.results[other] | dict.fromkeys(empty, None)))

    ran = account.sync()

    assert (ran.code, ran.json["rejected"]) == (0, 0)
    values = account.query(f"select {', '.join(empty)} from cekura.results where id in ({id_}, {other})")
    assert values == [(None,) * len(empty)] * 2
    for raw in (id_, other):
        account.world.set_raw(raw, dump(account.world.results[raw] | {"updated_at": ""}))
    assert account.sync().json["rejected"] == 0


def test_keys_in_another_order_and_numbers_spelled_otherwise_are_no_change(new_account: NewAccount) -> None:
    account = new_account(**FORTY)
    settings = {"voice": "f", "language": "de", "limits": {"seconds": 30, "turns": 5}}
    for row in account.world.results.values():
        runs = [run | {"profile": {"name": "Ann", "age": 40}} for run in row["runs"]]
        account.world.edit(row["id"], settings=settings, score=1, runs=runs)
    account.world.finish()
    assert account.sync("--details").code == 0
    turned = {"limits": {"turns": 5.0, "seconds": 30}, "language": "de", "voice": "f"}
    for row in account.world.results.values():
        runs = [
            dict(reversed(run.items())) | {"profile": {"age": 40.0, "name": "Ann"}} for run in row["runs"]
        ]
        account.world.set_raw(row["id"], dump(row | {"settings": turned, "score": 1.0, "runs": runs}))

    again = account.sync("--full", "--details")

    assert (again.json["updated"], again.json["details_read"], again.json["changed"]) == (0, 0, False)


def test_an_id_sent_as_text_is_the_number(synced_account: Account) -> None:
    id_ = sorted(synced_account.world.results)[100]
    synced_account.world.set_raw(id_, dump(synced_account.world.results[id_] | {"id": str(id_)}))

    ran = synced_account.sync("--full")

    assert ran.code == 0, ran.err
    assert ran.json["changed"] is False
    synced_account.assert_equals_api()


def test_a_run_listed_twice_is_one_run(synced_account: Account) -> None:
    account = synced_account
    id_ = max(account.world.results)
    runs = account.world.results[id_]["runs"]
    account.world.edit(id_, runs=[*runs, *runs])

    ran = account.sync()

    assert ran.code == 0, ran.err
    stored = account.query(f"select id from cekura.runs where result_id = {id_} order by id")
    assert stored == [(run["id"],) for run in runs]


def test_duplicate_keys_in_a_row_harm_nobody(synced_account: Account) -> None:
    account = synced_account
    id_ = sorted(account.world.results)[100]
    raw = dump(account.world.results[id_])
    account.world.set_raw(id_, raw[:-1] + b', "name": "second", "NAME": "third"}')

    ran = account.sync()

    assert ran.code == 0, ran.err
    api = account.api()
    assert_same(
        {key: row for key, row in account.stored().items() if key != id_},
        {key: row for key, row in api.items() if key != id_},
    )
    assert account.sync("--full").json["changed"] is False


def test_a_known_result_whose_id_is_lost_in_list_and_by_id_keeps_its_last_good_version(
    synced_account: Account,
) -> None:
    id_ = sorted(synced_account.world.results)[100]
    synced_account.world.set_raw(id_, dump(synced_account.world.results[id_] | {"id": None}))
    synced_account.world.insert(1)

    ran = synced_account.sync("--full")

    assert ran.code == 0, ran.err
    synced_account.assert_equals_api()
    assert ran.json["rejected"] >= 1


def test_a_row_in_flight_that_cannot_be_taken_by_id_keeps_its_last_good_version(
    synced_account: Account,
) -> None:
    id_ = sorted(synced_account.world.results)[-250]
    synced_account.world.rerun(id_)
    synced_account.sync("--full")
    former = synced_account.stored()[id_]

    def spoil(request: Request, payload: Row) -> bytes | None:
        return dump(payload | {"total_runs_count": "many"}) if request.path.endswith(f"/{id_}/") else None

    synced_account.sandbox.rewrite = spoil
    synced_account.world.insert(1)
    ran = synced_account.sync("--lookback", "0")

    assert ran.code == 0, ran.err
    assert (ran.json["rejected"], synced_account.stored()[id_]) == (1, former)
    synced_account.sandbox.rewrite = None
    synced_account.world.finish()
    assert synced_account.sync("--lookback", "0").json["rejected"] == 0
    synced_account.assert_equals_api()
    assert rejected(synced_account) == []


def test_a_row_in_flight_whose_own_address_fails_is_noted_and_not_asked_for_at_every_sync(
    synced_account: Account,
) -> None:
    id_ = sorted(synced_account.world.results)[-250]
    synced_account.world.rerun(id_)
    synced_account.sync("--full")
    former = synced_account.stored()[id_]
    synced_account.sandbox.intercept = lambda request: (
        Answer(500, b"{}") if request.path.endswith(f"/{id_}/") else None
    )
    synced_account.world.insert(1)
    synced_account.world.finish()

    ran = synced_account.sync("--lookback", "0")

    assert (ran.code, ran.json["rejected"], synced_account.stored()[id_]) == (0, 1, former), ran.err
    ((noted, reason, _),) = rejected(synced_account)
    assert (noted, reason.startswith("by id: The API is down (500")) == (id_, True)
    synced_account.sandbox.reset_requests()
    assert synced_account.sync("--lookback", "0").json["rejected"] == 0
    assert not any(request.path.endswith(f"/{id_}/") for request in synced_account.sandbox.requests)
    synced_account.sandbox.intercept = None
    assert synced_account.sync("--full").code == 0
    synced_account.assert_equals_api()
    assert rejected(synced_account) == []


def test_a_run_field_named_like_a_number_of_duckdbs_decides_nothing(synced_account: Account) -> None:
    world = synced_account.world
    one, other = sorted(world.results)[-2:]
    shared = {**world.results[one]["runs"][0], "rowid": "x"}
    world.touchless_edit(one, runs=[shared, *world.results[one]["runs"][1:]])
    world.touchless_edit(other, runs=[*world.results[other]["runs"], shared])

    for _ in range(2):
        assert synced_account.sync().code == 0

    run = f"select result_id, api_rowid from cekura.runs where id = {shared['id']}"
    assert synced_account.query(run) == [(other, "x")]


@pytest.mark.parametrize("digits", [40, 400])
def test_a_count_beyond_all_numbers_stops_no_sync(synced_account: Account, digits: int) -> None:
    synced_account.sandbox.rewrite = lambda _, payload: (
        payload.update(count=10**digits) if "count" in payload else None
    )

    assert synced_account.sync("--full").code == 0
    synced_account.assert_equals_api()


def test_fields_that_differ_only_by_capital_letters_are_named(new_account: NewAccount) -> None:
    account = new_account(results=4, runs_per_result=2, in_flight=0)
    newest = max(account.world.results)
    runs = [{**run, "Status": "shouted"} for run in account.world.results[newest]["runs"]]
    account.world.touchless_edit(newest, NAME="shouted", runs=runs)

    ran = account.sync()

    assert ran.code == 0, ran.err
    assert "2 fields of the API were left out, such as NAME" in ran.err
