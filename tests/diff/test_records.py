"""Both readings of every doubtful field give the same record; what cannot be believed gets a reason."""

import json
from typing import Any

import duckdb
import pytest

from cekura_sync import database
from cekura_sync.api.forms import identity
from cekura_sync.api.json_values import bigint
from cekura_sync.api.personal import PersonalData
from cekura_sync.diff import records

ROW = {
    "id": 12,
    "name": "Nightly",
    "agent": 3,
    "status": "completed",
    "success_rate": 0.5,
    "is_cronjob": True,
    "total_runs_count": 2,
    "runs": [{"id": 1, "success": True, "duration": "01:30"}, {"id": 2, "success": False}],
    "scenarios": [{"id": 9, "name": "Refund"}],
    "created_at": "2026-01-01T00:00:00.000001Z",
    "updated_at": "2026-01-02T00:00:00Z",
}


def listed_id(row: dict[str, Any]) -> int | None:
    """As the envelope of the page has it."""
    id_ = identity(row.get("id"))
    return bigint(id_)


def parse(
    con: duckdb.DuckDBPyConnection,
    ids: list[int | None],
    raws: list[str],
    keys: records.Keys | None = None,
) -> None:
    records.receive(con, ids, [records.digest("", raw) for raw in raws])
    records.parse(con, keys or records.Keys(), raws, [PersonalData()] * len(raws))


def parsed(*rows: dict[str, Any], keys: records.Keys | None = None) -> list[dict[str, Any]]:
    with database.connect() as con:
        parse(con, [listed_id(row) for row in rows], [json.dumps(row) for row in rows], keys)
        cursor = con.execute("select * exclude (_row, _digest, _listed) from parsed")
        columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, values, strict=True)) for values in cursor.fetchall()]


@pytest.mark.parametrize(
    "other",
    [
        {"id": "12"},
        {"total_runs_count": "2"},
        {"total_runs_count": 2.0},
        {"is_cronjob": "true"},
        {"is_cronjob": "True"},
        {"success_rate": "0.5"},
        {"created_at": "2026-01-01 00:00:00.000001"},
        {"created_at": "2026-01-01T05:30:00.000001+05:30"},
        {"run_type": None},
        {"met_expected_outcome_count": ""},
        {"agent_inbound": " "},
        {"failed_runs_count": "", "run_as_text": ""},
    ],
    ids=str,
)
def test_another_spelling_of_the_same_row_is_the_same_record(other: dict[str, Any]) -> None:
    one, two = parsed(ROW, ROW | other)

    assert two["flaw"] is None
    assert one == two


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"id": None}, "id is missing"),
        ({"id": 12.5}, "id is not a 64-bit integer"),
        ({"id": 2**63}, "id is not a 64-bit integer"),
        ({"id": -(2**63)}, "its id can be read in two ways"),
        ({"runs": [{"id": -(2**63)}]}, "a run has no usable id"),
        ({"id": True}, "id is not a 64-bit integer"),
        ({"total_runs_count": "many"}, "total_runs_count is not a 64-bit integer"),
        ({"total_runs_count": 10.5}, "total_runs_count is not a 64-bit integer"),
        ({"total_runs_count": 2**40}, "total_runs_count is not a believable count"),
        ({"success_rate": "1e999"}, "success_rate is not a finite number"),
        ({"is_cronjob": "perhaps"}, "is_cronjob is not true or false"),
        ({"created_at": None}, "created_at is missing"),
        ({"created_at": "yesterday"}, "created_at is not a time"),
        ({"created_at": 1767225600}, "created_at is not a time"),
        ({"created_at": "2100-01-01T00:00:00Z"}, "created_at is outside 2000 to 2099"),
        ({"updated_at": "1999-12-31T23:59:59Z"}, "updated_at is outside 2000"),
        ({"runs": [{"status": "completed"}]}, "a run has no usable id"),
        ({"runs": ["x"]}, "a run has no usable id"),
    ],
    ids=str,
)
def test_a_row_that_cannot_be_believed_says_why(other: dict[str, Any], reason: str) -> None:
    (row,) = parsed(ROW | other)

    assert row["flaw"].startswith(reason)


def test_a_time_is_believed_whatever_this_machines_clock_says() -> None:
    for time in ("2000-01-01T00:00:00Z", "2099-12-31T23:59:59Z"):
        assert parsed(ROW | {"created_at": time, "updated_at": time})[0]["flaw"] is None


def test_unknown_fields_are_kept_as_text_under_a_name_that_meets_no_other() -> None:
    odd = {
        "agentMood": {"a": [1]},
        "order": "asc",
        'qu"ote': 1,
        "deleted_at": "never",
        "_digest": "mine",
        "ID": 5,
        "": 0,
    }

    (row,) = parsed(ROW | odd)

    assert row["id"] == 12
    assert row["agent_mood"] == '{"a":[1]}'
    assert row["order"] == "asc"
    assert row["qu_ote"] == "1"
    assert row["api_deleted_at"] == "never"
    assert row["digest"] == "mine"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1, "b": {"c": [1, 2], "d": null}}', '{"b": {"d": null, "c": [1, 2]}, "a": 1}'),
        ('{"a": 1}', '{ "a" :1.0 }'),
        ('[{"a": 1, "b": 2}]', '[{"b": 2.0, "a": 1e0}]'),
        ("2", "2.0"),
        ("2000", "2e3"),
        ("0.5", "5e-1"),
        ('{"a": "é/"}', '{"a": "\\u00e9\\/"}'),
    ],
)
def test_two_texts_of_one_json_value_are_one_value_in_rows_and_in_runs(one: str, other: str) -> None:
    raws = [
        json.dumps(ROW | {"extra": 0, "runs": [{"id": 1, "extra": 0}]}).replace(
            '"extra": 0', f'"extra": {text}'
        )
        for text in (one, other)
    ]
    with database.connect() as con:
        parse(con, [12, 12], raws)
        stored = con.execute("select extra, runs[1].extra, flaw from parsed").fetchall()

    assert stored[0] == stored[1]
    assert stored[0][0] == stored[0][1]
    assert stored[0][0] is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.5"),
        ('"1"', '"1.0"'),
        ("[1, 2]", "[2, 1]"),
        ('{"a": null}', "{}"),
        ('{"a": "1.0"}', '{"a": "1"}'),
    ],
)
def test_other_json_values_stay_apart(one: str, other: str) -> None:
    rows = parsed(*(ROW | {"extra": json.loads(text)} for text in (one, other)))

    assert rows[0]["extra"] != rows[1]["extra"]


@pytest.mark.parametrize("before", ["", " ", "\\n", "\\u0020", "\\t", "\ufeff", "\\ufeff ", '\\"'], ids=ascii)
def test_what_was_said_is_left_out_of_a_text_that_stands_alone(before: str) -> None:
    """Of rows without anything nested the texts are looked at only where one may hold fields."""
    fields = r"{\"messages\":[\"hi\"],\"rate\":1}"
    if before.endswith('"'):
        fields = fields.replace("\\", "\\\\\\") + '\\"'
    raw = json.dumps(ROW | {"runs": [{"id": 1, "more": "@"}]}).replace("@", before + fields)
    with database.connect() as con:
        parse(con, [12], [raw])
        ((stored,),) = con.execute("select runs[1].more from parsed").fetchall()

    assert "rate" in stored
    assert "messages" not in stored


@pytest.mark.parametrize("begin", ['{"id": 7, ', '{"id": "7", ', '{"status": "x", "id": 7, '])
def test_a_row_with_two_ids_cannot_be_stored_wherever_the_first_one_stands(begin: str) -> None:
    with database.connect() as con:
        parse(con, [12], [begin + json.dumps(ROW)[1:]])

        assert con.execute("select flaw from parsed").fetchall() == [("its id can be read in two ways",)]


def test_a_row_that_nobody_can_read_is_refused_and_not_stored_as_it_came() -> None:
    """What was said would be in it."""
    raw = json.dumps(ROW | {"runs": [{"id": 1, "more": "@"}]}).replace('"@"', "[" * 970 + "]" * 970)
    with database.connect() as con:
        parse(con, [12], [raw])

        ((flaw, runs),) = con.execute("select flaw, runs from parsed").fetchall()
    assert (flaw or "").startswith("its JSON cannot be read")
    assert runs is None


def test_numbers_that_no_double_holds_keep_their_digits() -> None:
    (row,) = parsed(ROW | {"extra": {"n": 12345678901234567890123}})

    assert row["extra"] == '{"n":12345678901234567890123}'


@pytest.mark.parametrize("duration", ["1e308", "-5", "nan", "inf", "-1:00", "99999999999:00"])
def test_a_duration_that_nobody_can_believe_is_none(duration: str) -> None:
    assert stored(ROW | {"runs": [{"id": 1, "duration": duration}]}, "select duration_seconds from runs") == [
        (None,)
    ]


def test_what_was_said_is_left_out_of_the_names_of_scenarios_and_of_a_single_turn() -> None:
    said = {"customerName": "Ana"}
    scenarios = [{"id": 9, "name": said}, {"id": said, "name": None}]
    turn = {"content": "hello", "Role": "agent"}

    (row,) = parsed(
        ROW | {"scenarios": scenarios, "last": turn, "runs": [{"id": 1, "scenario": scenarios[0]}]}
    )

    assert "Ana" not in str(row)
    assert row["last"] is None


@pytest.mark.parametrize("field", ["scenario", "success", "duration", "status"])
def test_an_empty_text_in_a_run_is_no_value(field: str) -> None:
    (row,) = parsed(ROW | {"runs": [{"id": 1, field: ""}]})

    assert row["flaw"] is None
    assert not row["runs"][0][field]


def test_text_arrives_byte_for_byte() -> None:
    hostile = "NUL \0 emoji 🦜 right-to-left \u202eabc 'quotes\" \\ back" + "x" * 1_000_000

    (row,) = parsed(ROW | {"name": hostile})

    assert row["name"] == hostile


def stored(row: dict[str, Any], query: str) -> list[tuple[Any, ...]]:
    """What the tables `runs` and `result_scenarios` would hold of it."""
    with database.connect() as con:
        keys = records.Keys()
        parse(con, [listed_id(row)], [json.dumps(row)], keys)
        assert con.execute("select flaw from parsed").fetchall() == [(None,)]
        tables = f"with runs as ({records.runs_of('parsed', keys)}), scenarios as ({records.scenarios_of('parsed')})"
        return con.execute(f"{tables} {query} order by all").fetchall()


def test_ids_names_and_objects_may_stand_in_one_list_of_scenarios() -> None:
    scenarios = [
        {"id": 9, "name": "Refund"},
        24270,
        "Cancel booking",
        {"id": 10.2},
        {"id": 10.4},
        {"id": "11"},
        True,
    ]

    assert stored(ROW | {"scenarios": scenarios}, "select scenario_id, scenario_name from scenarios") == [
        (9, "Refund"),
        (11, None),
        (24270, None),
        (None, "10.2"),
        (None, "10.4"),
        (None, "Cancel booking"),
        (None, "true"),
    ]


def test_a_scenario_of_a_run_that_has_no_whole_number_is_told_by_what_it_has() -> None:
    given = [7, "7", 7.0, "Refund", {"id": 7}, 10.2, 10.4, {"id": 10.2, "name": "Cancel"}, {"id": "x1"}, None]
    runs = [{"id": number, "scenario": scenario} for number, scenario in enumerate(given, start=1)]

    assert stored(ROW | {"runs": runs}, "select id, scenario, scenario_name from runs") == [
        (1, 7, None),
        (2, 7, None),
        (3, 7, None),
        (4, None, "Refund"),
        (5, 7, None),
        (6, None, "10.2"),
        (7, None, "10.4"),
        (8, None, "Cancel"),
        (9, None, "x1"),
        (10, None, None),
    ]


def test_the_success_of_a_run_may_come_as_text_and_is_unknown_when_it_is_empty() -> None:
    given = [True, "false", "True", 1, 0, None, ""]
    runs = [{"id": number, "success": success} for number, success in enumerate(given, start=1)]

    assert [success for _, success in stored(ROW | {"runs": runs}, "select id, success from runs")] == [
        True, False, True, True, False, None, None,
    ]  # fmt: skip
