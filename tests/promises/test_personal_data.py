"""Personal data is kept only where it was asked for, and removed from every file once it no longer is."""

import json
from datetime import UTC, datetime

import pytest

from cekura_sync.sandbox import Answer
from support.harness import Account, NewAccount
from support.shared import Shared

CALLER, NUMBER, SAID, LINK, DRAWING = (
    "Planted-Caller-Zq7",
    "PLANTED-4711-0815",
    "planted sentence of a caller",
    "https://recordings.invalid/planted-stereo.wav",
    "planted-waveform",
)
PROFILE = {CALLER, NUMBER}
EVERYTHING = {CALLER, NUMBER, SAID, LINK, DRAWING}


KIND = {"results": 30, "agents": 2, "runs_per_result": 2, "days": 5, "in_flight": 0, "generation": "new"}


@pytest.fixture
def unsynced(new_account: NewAccount) -> Account:
    """Newer servers hand out all of it; one result carries what is looked for, another cannot be stored."""
    account = new_account(**KIND)
    plant(account)
    return account


@pytest.fixture
def account(new_synced: NewAccount) -> Account:
    """The same, after a first sync that was asked for nothing."""
    return new_synced(**KIND, arrange=plant)


def plant(account: Account) -> None:
    sandbox, world = account.sandbox, account.world
    newest, *_, flawed = sorted(world.results, reverse=True)
    for id_ in (newest, flawed):
        runs = [{**run, **private()} for run in world.results[id_]["runs"]]
        of_the_row = {name: private()[name] for name in ("transcript", "test_profile_data", "recordingUrl")}
        world.touchless_edit(id_, runs=runs, status="completed", **of_the_row)
    world.touchless_edit(flawed, success_rate="most")
    sandbox.rewrite = lambda _, payload: (
        with_private_runs(payload) if "overall_evaluation" in payload else None
    )


def private() -> dict[str, object]:
    return {
        "test_profile_data": {"customer_name": CALLER, "account_number": NUMBER},
        "transcript": SAID,
        "recordingUrl": LINK,
        "waveform": DRAWING,
        "metadata": {"endedReason": "hangup", "transcript": SAID, "stereoRecordingUrl": LINK},
        # No document of the API knows these.
        "call_log": {
            "legs": [{"seconds": 3, "recordingUrl": LINK, "callerName": SAID}],
            "payload": json.dumps({"rate": 1, "fromNumber": SAID, "turns": [{"role": "user", "text": SAID}]}),
        },
        "history": [{"speaker": "customer", "text": SAID}],
        "scenarios": [{"role": "caller", "text": SAID}],
        "as_text": json.dumps({"messages": [SAID]}),
        "after_a_blank": " " + json.dumps([{"text": SAID, "role": "user"}]),
        "with_nan": json.dumps({"messages": [SAID], "rate": float("nan")}),
        "text_of_a_text": json.dumps("\n" + json.dumps({"callerName": SAID})),
    }


def with_private_runs(payload: dict[str, object], **more: object) -> dict[str, object]:
    runs = payload["runs"]
    assert isinstance(runs, dict)
    for run in runs.values():
        run |= private() | {"transcript_object": [{"role": "caller", "content": SAID}]} | more
    return payload


def found(account: Account) -> set[str]:
    """What can be read in any byte of the warehouse, its private base, scratch or logs."""
    files = [path.read_bytes() for path in account.warehouse.parent.rglob("*") if path.is_file()]
    assert len(files) > 3
    return {text for text in EVERYTHING if any(text.encode() in content for content in files)}


def test_without_being_asked_a_sync_keeps_nothing_of_what_was_said_or_of_who_called(
    unsynced: Account,
) -> None:
    ran = unsynced.sync("--details")

    assert ran.code == 0, ran.err
    assert ran.json["rejected"] == 1
    assert found(unsynced) == set()
    assert unsynced.query(
        "select distinct call_log, history from cekura.runs where call_log is not null"
    ) == [('{"legs":[{"seconds":3}],"payload":"{\\"rate\\":1,\\"turns\\":[]}"}', "[]")]
    assert unsynced.query("select distinct metadata from cekura.run_details") == [
        ('{"endedReason":"hangup"}',)
    ]


def test_asked_for_it_is_kept_but_never_the_waveform(account: Account) -> None:
    assert account.sync("--details", "--transcripts").code == 0

    assert found(account) == EVERYTHING - {DRAWING}
    assert account.query("select count(*) > 0 from cekura.transcript_turns") == [(True,)]


def test_profiles_are_a_choice_of_their_own_and_go_at_the_next_sync_without_it(account: Account) -> None:
    assert account.sync("--details", "--profiles").code == 0
    assert found(account) == PROFILE
    assert account.query("select count(*) from cekura.runs where test_profile_data is not null")[0][0] > 4

    ran = account.sync()

    assert ran.code == 0, ran.err
    assert ran.json["changed"] is True
    assert found(account) == set()
    assert account.sync("--full").json["changed"] is False


def test_profiles_asked_for_later_are_read_for_every_run_that_is_listed(account: Account) -> None:
    ran = account.sync("--full", "--profiles")

    assert ran.code == 0, ran.err
    assert account.query("select count(*) from cekura.runs where test_profile_data is null") == [(0,)]
    assert account.sync("--full", "--profiles").json["changed"] is False


def test_a_dry_run_says_that_it_would_remove_something_and_removes_nothing(account: Account) -> None:
    account.sync("--profiles")

    assert account.sync("--dry-run").json["changed"] is True
    assert found(account) == PROFILE


def test_a_result_read_again_without_transcripts_loses_what_was_said(account: Account) -> None:
    account.sync("--details", "--transcripts")
    for id_ in account.world.results:
        account.world.touchless_edit(id_, name="Evaluated again")

    ran = account.sync("--full", "--details")

    assert ran.code == 0, ran.err
    assert found(account) == set()
    assert account.query("select count(*) from cekura.transcript_turns") == [(0,)]


def found_in_engine(shared: Shared) -> set[str]:
    """What can be read in any row of any table, or in any file of this machine's warehouse folder."""
    tables = shared.query(
        "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables"
        " where schemaname not in ('pg_catalog', 'information_schema')"
    )
    assert len(tables) > 9
    rows = [row for (table,) in tables for (row,) in shared.query(f"select t::text from {table} as t")]
    folder = shared.account.warehouse.parent
    files = [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]
    return {text for text in EVERYTHING if any(text in content for content in rows + files)}


def test_an_engine_keeps_what_was_asked_for_and_loses_it_when_it_no_longer_is(
    unsynced: Account, server: str
) -> None:
    shared = Shared(unsynced, server)
    ran = shared.sync("--details")
    assert (ran.code, ran.json["rejected"]) == (0, 1), ran.err
    assert found_in_engine(shared) == set()
    for id_ in unsynced.world.results:
        unsynced.world.touchless_edit(id_, name="Evaluated again")
    ran = shared.sync("--full", "--details", "--transcripts", "--profiles")
    assert ran.code == 0, ran.err
    assert found_in_engine(shared) == EVERYTHING - {DRAWING}

    ran = shared.sync()

    assert ran.code == 0, ran.err
    assert not found_in_engine(shared) & PROFILE
    for id_ in unsynced.world.results:
        unsynced.world.touchless_edit(id_, name="Evaluated once more")
    ran = shared.sync("--full", "--details")
    assert ran.code == 0, ran.err
    assert found_in_engine(shared) == set()


def test_a_result_that_is_deleted_at_the_vendor_loses_what_the_list_said_of_its_calls(
    account: Account,
) -> None:
    assert account.sync("--full", "--transcripts").code == 0
    newest = max(account.world.results)
    private = f"select count(*) from cekura.runs where result_id = {newest} and coalesce(test_profile_data, transcript, recording_url) is not null"
    assert account.query(private) == [(len(account.world.results[newest]["runs"]),)]
    account.world.delete(newest)

    assert account.sync("--full", "--transcripts").code == 0

    assert account.query(private) == [(0,)]


def test_erasing_what_was_said_reaches_the_fields_of_the_list_and_later_syncs_keep_to_it(
    account: Account,
) -> None:
    assert account.sync("--full", "--transcripts").code == 0
    newest = max(account.world.results)
    filled = "select count(*) from cekura.runs where coalesce(transcript, recording_url) is not null"
    assert account.query(filled) == [(len(account.world.results[newest]["runs"]),)]

    assert account.run("erase", "--result", str(newest), "--transcripts-only").code == 0

    assert account.query(filled) == [(0,)]
    account.world.edit(newest, name="edited")
    for changed in (True, False):
        assert account.sync("--full", "--transcripts").json["changed"] is changed
        assert account.query(filled) == [(0,)]
    account.world.edit(newest, success_rate="most")
    assert account.sync("--full", "--details", "--transcripts").json["rejected"] == 2
    said = f"select id from cekura.rejected_rows where raw like '%{CALLER}%'"
    assert newest not in [id_ for (id_,) in account.query(said)]


def test_an_engine_loses_what_the_list_said_of_calls_that_were_deleted_or_erased(
    unsynced: Account, server: str
) -> None:
    shared, world = Shared(unsynced, server), unsynced.world
    assert shared.sync("--transcripts").code == 0
    newest, second = sorted(world.results, reverse=True)[:2]
    filled = "select count(*) from cekura.runs where result_id = {} and test_profile_data is not null"
    assert 0 not in {shared.query(filled.format(id_))[0][0] for id_ in (newest, second)}

    assert shared.run("erase", "--result", str(newest), "--transcripts-only").code == 0
    world.edit(newest, name="edited")
    world.delete(second)
    assert shared.sync("--full", "--transcripts").code == 0

    assert [shared.query(filled.format(id_)) for id_ in (newest, second)] == [[(0,)], [(0,)]]


def test_an_engine_that_an_older_version_filled_loses_the_details_of_what_is_deleted_at_once(
    unsynced: Account, server: str
) -> None:
    """That version did not note whether profiles were read."""
    shared, world = Shared(unsynced, server), unsynced.world
    newest = max(world.results)
    assert shared.sync("--details", "--transcripts").code == 0
    kept = f"select count(*) from cekura.run_details where result_id = {newest} and coalesce(test_profile_data, call_log, recording_url) is not null"
    in_list = f"select count(transcript) + count(test_profile_data) from cekura.results where id = {newest}"
    assert shared.query(kept) != [(0,)]
    assert shared.query(in_list) != [(0,)]
    shared.execute("alter table cekura.details_read drop column with_profiles")
    world.delete(newest)

    ran = shared.sync("--full", "--details", "--transcripts")

    assert ran.code == 0, ran.err
    assert shared.query(kept) == [(0,)]
    assert shared.query(in_list) == [(0,)]


def test_runs_that_are_written_once_more_do_not_bring_back_what_was_removed(account: Account) -> None:
    """A result loses one of its runs to a newer one, so the others are written again."""
    world = account.world
    old = max(world.results)
    run, *others = world.results[old]["runs"]
    assert account.sync("--full", "--transcripts").code == 0
    others_said = f"select count(recording_url) from cekura.runs where id = {others[0]['id']}"
    assert account.query(others_said) == [(1,)]
    (newer,) = world.insert(1)
    world.edit(newer, runs=[*world.results[newer]["runs"], run])

    assert account.sync("--full", "--transcripts", "--keep-transcripts", "1s").code == 0

    assert account.query(f"select result_id from cekura.runs where id = {run['id']}") == [(newer,)]
    assert account.query(others_said) == [(0,)]
    account.sync(
        "--full", "--transcripts", "--keep-transcripts", "1s"
    )  # by now the newer one is too old as well
    assert account.sync("--full", "--transcripts", "--keep-transcripts", "1s").json["changed"] is False


def test_a_row_that_cannot_be_stored_is_as_old_as_it_says(account: Account) -> None:
    """Its text is kept like the row itself would be, however late it was seen."""
    kept = "select count(*) from cekura.rejected_rows where raw like '%customer_name%'"
    assert account.sync("--full", "--transcripts", "--keep-transcripts", "30d").code == 0
    assert account.query(kept) == [(1,)]

    for _ in range(2):
        assert account.sync("--full", "--transcripts", "--keep-transcripts", "1d").code == 0
        assert account.query(kept) == [(0,)]


def test_the_reason_of_a_rejected_row_quotes_no_call(account: Account) -> None:
    newest = max(account.world.results)
    said = json.dumps({"transcript_object": [{"role": "user", "content": SAID}]}).encode()
    account.sandbox.intercept = lambda request: Answer(200, said) if str(newest) in request.path else None

    ran = account.sync("--details")

    reasons = account.query(f"select reason from cekura.rejected_rows where id = {newest}")
    assert ran.code == 0, ran.err
    assert len(reasons) == 1
    assert SAID not in f"{reasons} {ran.err}"
    assert found(account) == set()


# In no document, and under no name that says so.
NESTED = {"custom": {"speaker_one": SAID, "who": CALLER}, "spaced": ' {"speaker_one": "hello"}'}


@pytest.fixture
def talked(account: Account) -> Account:
    """All of it was asked for, and lists and details are full of it."""
    account.sandbox.rewrite = lambda _, payload: (
        with_private_runs(payload, **NESTED) if "overall_evaluation" in payload else None
    )
    assert account.sync("--full", "--details", "--transcripts").code == 0
    return account


NEWEST_PAGE = ("--page-size", "5", "--lookback", "1h")
PERSONAL = {
    "transcript_turns": ["content"],
    "run_details": ["recording_url", "custom", "spaced", "test_profile_data", "metadata"],
    "runs": ["recording_url", "test_profile_data"],
    "results": ["recording_url", "test_profile_data", "transcript"],
}


def kept_of(account: Account, id_: int) -> dict[str, int]:
    """In how many rows of this result each column holds personal data."""
    known = {*account.query("select table_name, column_name from duckdb_columns()")}
    holds = "{1} is not null and ('{1}' <> 'metadata' or {1} like '%transcript%')"
    query = f"select count(*) from cekura.{{0}} where {{2}} = {id_} and {holds}"
    return {
        f"{table}.{column}": account.query(
            query.format(table, column, "id" if table == "results" else "result_id")
        )[0][0]
        for table, columns in PERSONAL.items()
        for column in columns
        if (table, column) in known
    }


def test_what_was_said_is_erased_under_whatever_name_the_details_have_it(talked: Account) -> None:
    newest = max(talked.world.results)
    assert 0 not in kept_of(talked, newest).values()

    assert talked.run("erase", "--result", str(newest), "--transcripts-only").code == 0

    assert {*kept_of(talked, newest).values()} == {0}
    talked.world.edit(newest, name="edited")
    assert talked.sync("--full", "--transcripts").code == 0
    assert {*kept_of(talked, newest).values()} == {0}


def test_a_deleted_result_loses_all_that_was_said_and_gets_it_back_when_it_is_restored(
    talked: Account,
) -> None:
    newest = max(talked.world.results)
    before = kept_of(talked, newest)
    talked.world.delete(newest)
    assert talked.sync("--full", "--transcripts").code == 0
    assert {*kept_of(talked, newest).values()} == {0}

    talked.world.restore(newest)
    assert talked.sync("--full", "--transcripts").code == 0

    assert kept_of(talked, newest) == before
    assert talked.sync("--full", "--transcripts").json["changed"] is False


def test_what_was_removed_for_its_age_comes_back_when_it_may_be_older(talked: Account) -> None:
    newest = max(talked.world.results)
    before = kept_of(talked, newest)
    assert talked.sync("--transcripts", "--keep-transcripts", "1s").code == 0
    assert {*kept_of(talked, newest).values()} == {0}
    assert found(talked) == set()
    talked.world.edit(newest, name="edited")
    for _ in range(2):
        ran = talked.sync("--full", "--transcripts", "--keep-transcripts", "1s")
        assert ran.code == 0, ran.err
        assert {*kept_of(talked, newest).values()} == {0}
    assert ran.json["changed"] is False

    assert talked.sync("--full", "--transcripts", "--keep-transcripts", "90d").code == 0

    assert kept_of(talked, newest) == before


def test_what_the_list_said_of_an_older_result_comes_back_with_the_next_full_reading(
    account: Account,
) -> None:
    """The syncs that remove it do not read that result again."""
    world, today = account.world, datetime.now(UTC)
    older, newest = sorted(world.results)[1], max(world.results)
    world.touchless_edit(older, runs=[{**run, **private()} for run in world.results[older]["runs"]])
    world.edit(newest, created_at=today.isoformat())
    assert account.sync("--full", "--transcripts").code == 0
    before = kept_of(account, older)["runs.recording_url"]
    ran = account.sync("--transcripts", "--keep-transcripts", "1s", *NEWEST_PAGE)
    assert (ran.code, ran.json["mode"], ran.json["rows_read"] < 20) == (0, "quick", True), ran.err
    assert (before > 0, kept_of(account, older)["runs.recording_url"]) == (True, 0)

    assert account.sync("--full", "--transcripts").code == 0

    assert kept_of(account, older)["runs.recording_url"] == before


@pytest.mark.parametrize("narrow", ["newest page", "other agent"])
@pytest.mark.parametrize(
    ("option", "columns"),
    [
        ("--profiles", ("runs.test_profile_data", "results.test_profile_data")),
        ("--transcripts", ("runs.recording_url", "results.recording_url")),
    ],
)
def test_what_a_sync_without_the_option_removed_of_results_that_it_did_not_read_comes_back(
    account: Account, option: str, columns: tuple[str, ...], narrow: str
) -> None:
    world = account.world
    older, newest = sorted(world.results)[1], max(world.results)
    of_the_row = {name: private()[name] for name in ("test_profile_data", "recordingUrl")}
    runs = [{**run, **private()} for run in world.results[older]["runs"]]
    world.touchless_edit(older, runs=runs, agent=world.agents[0].id, **of_the_row)
    world.edit(newest, created_at=datetime.now(UTC).isoformat(), agent=world.agents[1].id)
    assert account.sync("--full", option).code == 0
    before = kept_of(account, older)
    reads = NEWEST_PAGE if narrow == "newest page" else ("--agent-id", str(world.agents[1].id))
    assert account.sync(*reads).code == 0
    assert [(before[column] > 0, kept_of(account, older)[column]) for column in columns] == [(True, 0)] * 2

    assert account.sync("--full", option).code == 0

    assert kept_of(account, older) == before
    assert account.sync("--full", option).json["changed"] is False


@pytest.mark.parametrize("option", ["--profiles", "--transcripts"])
def test_profiles_in_details_come_back_when_they_are_asked_for_again(account: Account, option: str) -> None:
    """Also in those of a result that the list of this sync does not reach."""
    older, column = sorted(account.world.results)[1], "run_details.test_profile_data"
    account.world.edit(max(account.world.results), created_at=datetime.now(UTC).isoformat())
    assert account.sync("--full", "--details", option).code == 0
    before = kept_of(account, older)[column]
    assert account.sync("--details", *NEWEST_PAGE).code == 0
    assert (before > 0, kept_of(account, older)[column]) == (True, 0)

    assert account.sync("--details", option, *NEWEST_PAGE).code == 0

    assert kept_of(account, older)[column] == before
    account.sync("--full", "--details", option)  # brings back what the list says of them
    assert account.sync("--full", "--details", option).json["changed"] is False


def test_transcripts_after_profiles_bring_what_the_list_says(account: Account) -> None:
    newest = max(account.world.results)
    assert account.sync("--full", "--profiles").code == 0
    assert kept_of(account, newest)["runs.test_profile_data"] == len(account.world.results[newest]["runs"])

    assert account.sync("--full", "--transcripts").code == 0

    assert kept_of(account, newest)["runs.recording_url"] == len(account.world.results[newest]["runs"])
