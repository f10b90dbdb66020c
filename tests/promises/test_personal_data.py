"""Personal data is kept only where it was asked for, and removed from every file once it no longer is."""

import json
from datetime import datetime, timedelta

import pytest

from cekura_sync.sandbox import Answer
from support.harness import Account, NewAccount, Ran
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


# A quick sync reads all of an account whose results fit on one page.
KIND = {"results": 12, "agents": 2, "runs_per_result": 2, "days": 5, "in_flight": 0, "generation": "new"}
# In no document, and under no name that says so.
NESTED = {"custom": {"speaker_one": SAID, "who": LINK}, "spaced": ' {"speaker_one": "hello"}'}


@pytest.fixture
def unsynced(new_account: NewAccount) -> Account:
    """Newer servers hand out all of it; three results carry what is looked for, another cannot be stored."""
    account = new_account(**KIND)
    plant(account)
    return account


@pytest.fixture
def talked(new_synced: NewAccount) -> Account:
    """All of it was asked for after a first sync that was asked for nothing. Lists and details are full of it."""
    return new_synced(**KIND, arrange=plant, then=ask_for_all)


@pytest.fixture
def profiled(new_synced: NewAccount) -> Account:
    """The same, asked for profiles."""
    return new_synced(**KIND, arrange=plant, then=ask_for_profiles)


def ask_for_all(account: Account) -> Ran:
    return account.sync("--details", "--transcripts")


def ask_for_profiles(account: Account) -> Ran:
    return account.sync("--details", "--profiles")


def plant(account: Account) -> None:
    """The newest result is one agent's, the others are the other's."""
    sandbox, world = account.sandbox, account.world
    flawed, older, third, newest = planted(account)
    for id_, agent in ((newest, 1), (third, 0), (older, 0), (flawed, 0)):
        runs = [{**run, **private()} for run in world.results[id_]["runs"]]
        of_the_row = {name: private()[name] for name in ("transcript", "test_profile_data", "recordingUrl")}
        owner = world.agents[agent].id
        world.touchless_edit(id_, runs=runs, status="completed", agent=owner, **of_the_row)
    world.touchless_edit(flawed, success_rate="most")
    sandbox.rewrite = lambda _, payload: (
        with_private_runs(payload) if "overall_evaluation" in payload else None
    )


def planted(account: Account) -> list[int]:
    """The flawed one, two older ones, the newest."""
    ids = sorted(account.world.results)
    return [*ids[:3], ids[-1]]


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


def with_private_runs(payload: dict[str, object]) -> dict[str, object]:
    runs = payload["runs"]
    assert isinstance(runs, dict)
    for run in runs.values():
        run |= private() | {"transcript_object": [{"role": "caller", "content": SAID}]} | NESTED
    return payload


def found(account: Account) -> set[str]:
    """What can be read in any byte of the warehouse, its private base, scratch or logs."""
    files = [path.read_bytes() for path in account.warehouse.parent.rglob("*") if path.is_file()]
    assert len(files) > 3
    return {text for text in EVERYTHING if any(text.encode() in content for content in files)}


NEWEST_PAGE = ("--page-size", "5", "--lookback", "1h")
PERSONAL = {
    "transcript_turns": ["content"],
    "run_details": ["recording_url", "custom", "spaced", "test_profile_data", "metadata"],
    "runs": ["recording_url", "test_profile_data", "transcript"],
    "results": ["recording_url", "test_profile_data", "transcript"],
}


def kept_of(account: Account, id_: int) -> dict[str, int]:
    """In how many rows of this result each column holds personal data."""
    known = {*account.query("select table_name, column_name from duckdb_columns()")}
    holds = "{1} is not null and ('{1}' <> 'metadata' or {1} like '%transcript%')"
    counts = [
        f"select '{table}.{column}', count(*) from cekura.{table} where {'id' if table == 'results' else 'result_id'} = {id_} and {holds.format(table, column)}"
        for table, columns in PERSONAL.items()
        for column in columns
        if (table, column) in known
    ]
    return dict(account.query(" union all ".join(counts)))


def test_without_being_asked_a_sync_keeps_nothing_of_what_was_said_or_of_who_called(
    unsynced: Account,
) -> None:
    """Not even where it says why it could not read the details of a result."""
    unreadable = sorted(unsynced.world.results)[-2]
    said = json.dumps({"transcript_object": [{"role": "user", "content": SAID}]}).encode()
    unsynced.sandbox.intercept = lambda request: (
        Answer(200, said) if str(unreadable) in request.path else None
    )

    ran = unsynced.sync("--details")

    assert ran.code == 0, ran.err
    assert ran.json["rejected"] == 2
    assert found(unsynced) == set()
    assert unsynced.query(
        "select distinct call_log, history from cekura.runs where call_log is not null"
    ) == [('{"legs":[{"seconds":3}],"payload":"{\\"rate\\":1,\\"turns\\":[]}"}', "[]")]
    assert unsynced.query("select distinct metadata from cekura.run_details") == [
        ('{"endedReason":"hangup"}',)
    ]
    reasons = unsynced.query(f"select reason from cekura.rejected_rows where id = {unreadable}")
    assert len(reasons) == 1
    assert SAID not in f"{reasons} {ran.err}"


def test_asked_for_it_is_kept_but_never_the_waveform(talked: Account) -> None:
    """It goes when the result is read again and it is not asked for."""
    assert found(talked) == EVERYTHING - {DRAWING}
    assert talked.query("select count(*) > 0 from cekura.transcript_turns") == [(True,)]
    for id_ in talked.world.results:
        talked.world.touchless_edit(id_, name="Evaluated again")

    ran = talked.sync("--details")

    assert ran.code == 0, ran.err
    assert found(talked) == set()
    assert talked.query("select count(*) from cekura.transcript_turns") == [(0,)]


@pytest.mark.long
def test_profiles_are_a_choice_of_their_own(profiled: Account) -> None:
    """Asked for later, they are read for every run that is listed. Transcripts after them bring the rest."""
    assert found(profiled) == PROFILE
    assert profiled.query("select count(*) from cekura.runs where test_profile_data is null") == [(0,)]
    assert ask_for_profiles(profiled).json["changed"] is False
    newest, per_run = max(profiled.world.results), "runs.recording_url"
    assert (found(profiled), kept_of(profiled, newest).get(per_run, 0)) == (PROFILE, 0)

    assert profiled.sync("--transcripts").code == 0

    assert kept_of(profiled, newest)[per_run] == len(profiled.world.results[newest]["runs"])


def test_profiles_go_at_the_next_sync_without_it_and_a_dry_run_says_so_and_removes_nothing(
    profiled: Account,
) -> None:
    assert profiled.sync("--dry-run").json["changed"] is True
    assert found(profiled) == PROFILE

    ran = profiled.sync()

    assert (ran.code, ran.json["changed"]) == (0, True), ran.err
    assert found(profiled) == set()
    assert profiled.sync("--full").json["changed"] is False


@pytest.mark.parametrize(
    ("option", "narrow"),
    [
        ("--profiles", "newest page"),
        pytest.param("--transcripts", "other agent", marks=pytest.mark.long),
        pytest.param("--profiles", "other agent", marks=pytest.mark.long),
        pytest.param("--transcripts", "newest page", marks=pytest.mark.long),
    ],
)
def test_what_a_sync_without_the_option_removed_of_results_that_it_did_not_read_comes_back(
    request: pytest.FixtureRequest, option: str, narrow: str
) -> None:
    """That of the details as soon as it is asked for again, that of the list with the next sync that reads the result."""
    account = request.getfixturevalue("profiled" if option == "--profiles" else "talked")
    _, older, _, newest = planted(account)
    before = kept_of(account, older)
    of_the_list = "test_profile_data" if option == "--profiles" else "recording_url"
    gone = [f"results.{of_the_list}", f"runs.{of_the_list}", "run_details.test_profile_data"]
    reads = NEWEST_PAGE if narrow == "newest page" else ("--agent-id", str(account.world.agents[1].id))
    account.world.edit(newest, name="edited")
    ran = account.sync(*reads)
    assert (ran.code, ran.json["changed"], ran.json["rows_read"] < 12) == (0, True, True), ran.err
    assert [(before[column] > 0, kept_of(account, older)[column]) for column in gone] == [(True, 0)] * 3
    assert option == "--transcripts" or found(account) == set()
    assert account.sync(*reads).json["changed"] is False

    ran = account.sync("--details", option, *NEWEST_PAGE)

    assert (ran.code, ran.json["rows_read"] < 12) == (0, True), ran.err
    assert [kept_of(account, older)[column] for column in gone] == [0, 0, before[gone[-1]]]
    assert account.sync("--details", option).code == 0
    assert kept_of(account, older) == before
    assert account.sync("--full", "--details", option).json["changed"] is False


@pytest.mark.long
def test_what_was_erased_stays_away_and_what_was_deleted_comes_back_when_it_is_restored(
    talked: Account,
) -> None:
    """In the fields of the list, and under whatever name the details have it."""
    world, (_, older, _, newest) = talked.world, planted(talked)
    before = kept_of(talked, older)
    assert 0 not in {*before.values(), *kept_of(talked, newest).values()}

    assert talked.run("erase", "--result", str(newest), "--transcripts-only").code == 0
    assert {*kept_of(talked, newest).values()} == {0}
    assert kept_of(talked, older) == before

    world.edit(newest, name="edited")
    world.delete(older)
    for changed in (True, False):
        assert talked.sync("--transcripts").json["changed"] is changed
        assert {*kept_of(talked, newest).values(), *kept_of(talked, older).values()} == {0}
    assert talked.query("select count(*) > 0 from cekura.transcript_turns") == [(True,)]

    world.edit(newest, success_rate="most")
    world.restore(older)
    assert talked.sync("--transcripts").json["rejected"] == 2
    said = f"select id from cekura.rejected_rows where raw like '%{CALLER}%'"
    assert newest not in [id_ for (id_,) in talked.query(said)]
    assert {*kept_of(talked, newest).values()} == {0}
    assert kept_of(talked, older) == before
    assert talked.sync("--full", "--transcripts").json["changed"] is False


# The text of a row that cannot be stored is kept like the row itself would be, however late it was seen.
REJECTED = "select count(*) from cekura.rejected_rows where raw like '%customer_name%'"


@pytest.mark.long
def test_what_was_removed_for_its_age_comes_back_when_it_may_be_older(talked: Account) -> None:
    """Also that of a row that cannot be stored, which is as old as it says."""
    newest = max(talked.world.results)
    before = kept_of(talked, newest)
    assert talked.query(REJECTED) == [(1,)]
    talked.world.edit(newest, name="edited")
    for changed in (True, False):
        ran = talked.sync("--transcripts", "--keep-transcripts", "1s")
        assert (ran.code, ran.json["changed"]) == (0, changed), ran.err
        assert {*kept_of(talked, newest).values()} == {0}
        assert (found(talked), talked.query(REJECTED)) == (set(), [(0,)])

    assert talked.sync("--transcripts", "--keep-transcripts", "90d").code == 0

    assert kept_of(talked, newest) == before
    assert talked.query(REJECTED) == [(1,)]


@pytest.mark.long
def test_what_the_list_said_of_an_older_result_comes_back_with_the_next_full_reading(
    talked: Account,
) -> None:
    """The sync that removes it does not read that result. Nor does it bring anything back where it writes runs once more: those of a result that loses one to a newer result."""
    world, (_, older, robbed, newest) = talked.world, planted(talked)
    before = kept_of(talked, older)
    run, *others = world.results[robbed]["runs"]
    others_said = f"select count(recording_url) from cekura.runs where id = {others[0]['id']}"
    assert talked.query(others_said) == [(1,)]
    created = datetime.fromisoformat(world.results[newest]["created_at"])
    (newer,) = world.insert(created_at=created + timedelta(seconds=1))
    world.edit(newer, runs=[*world.results[newer]["runs"], run])

    ran = talked.sync("--transcripts", "--keep-transcripts", "1s", *NEWEST_PAGE)

    assert (ran.code, ran.json["mode"], ran.json["rows_read"] < 12) == (0, "quick", True), ran.err
    assert talked.query(f"select result_id from cekura.runs where id = {run['id']}") == [(newer,)]
    assert talked.query(others_said) == [(0,)]
    assert {*kept_of(talked, older).values()} == {0}
    assert found(talked) == set()

    assert talked.sync("--full", "--transcripts").code == 0

    assert talked.query(others_said) == [(1,)]
    assert kept_of(talked, older) == before


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


def kept_in_engine(shared: Shared, id_: int) -> list[int]:
    """In how many rows each table holds personal data of this result."""
    private = {
        "results": "transcript, test_profile_data::text",
        "runs": "transcript, recording_url, test_profile_data::text",
        "run_details": "test_profile_data::text, call_log::text, recording_url",
    }
    counts = [
        f"select count(*) from cekura.{table} where {'id' if table == 'results' else 'result_id'} = {id_} and coalesce({columns}) is not null"
        for table, columns in private.items()
    ]
    return [count for (count,) in shared.query(" union all ".join(counts))]


@pytest.mark.long
def test_an_engine_keeps_what_was_asked_for_and_loses_it_when_it_no_longer_is(
    unsynced: Account, server: str
) -> None:
    shared, world = Shared(unsynced, server), unsynced.world
    ran = shared.sync("--details")
    assert (ran.code, ran.json["rejected"]) == (0, 1), ran.err
    assert found_in_engine(shared) == set()
    ran = shared.sync("--details", "--transcripts", "--profiles")
    assert ran.code == 0, ran.err
    assert found_in_engine(shared) == EVERYTHING - {DRAWING}

    ran = shared.sync()

    assert ran.code == 0, ran.err
    assert not found_in_engine(shared) & PROFILE
    for id_ in world.results:
        world.touchless_edit(id_, name="Evaluated again")
    ran = shared.sync("--details")
    assert ran.code == 0, ran.err
    assert found_in_engine(shared) == set()


@pytest.mark.long
def test_an_engine_loses_what_the_list_said_of_calls_that_were_deleted_or_erased(
    unsynced: Account, server: str
) -> None:
    """An older version did not note whether profiles were read: there, details of what is deleted go at once, too."""
    shared, world = Shared(unsynced, server), unsynced.world
    _, older, third, newest = planted(unsynced)
    assert shared.sync("--details", "--transcripts").code == 0
    assert 0 not in [count for id_ in (third, older, newest) for count in kept_in_engine(shared, id_)]

    assert shared.run("erase", "--result", str(newest), "--transcripts-only").code == 0
    world.edit(newest, name="edited")
    world.delete(older)
    assert shared.sync("--transcripts").code == 0
    assert kept_in_engine(shared, newest) == kept_in_engine(shared, older) == [0, 0, 0]

    shared.execute("alter table cekura.details_read drop column with_profiles")
    assert 0 not in kept_in_engine(shared, third)
    world.delete(third)
    ran = shared.sync("--transcripts")
    assert ran.code == 0, ran.err
    assert kept_in_engine(shared, third) == [0, 0, 0]
