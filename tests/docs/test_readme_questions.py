"""The answers in README and docs/ are those of the demo: every query, and every character of what it prints."""

import re
from collections.abc import Iterator

import pytest

from cekura_sync import demo
from support.answers import (
    ANSWER,
    DEMO,
    DOCUMENTS,
    GATE,
    NOW,
    answer,
    demo_warehouse,
    first_demo_query,
    judgement,
)
from support.harness import Account

TEXTS = {document.name: document.read_text(encoding="utf-8") for document in DOCUMENTS}
ANSWERS = [pair for text in TEXTS.values() for pair in ANSWER.findall(text)]
QUERIES = [
    query for text in TEXTS.values() for query in re.findall(r'^\$ .*query "([^"]*)"', text, re.MULTILINE)
]
STALE = "the document is stale: run `make reference`"


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Account]:
    with demo_warehouse() as account:
        yield account


@pytest.mark.parametrize(("query", "shown"), ANSWERS, ids=[query[:60] for query, _ in ANSWERS])
def test_a_query_answers_what_the_document_says(warehouse: Account, query: str, shown: str) -> None:
    assert shown == answer(warehouse, query), STALE


@pytest.mark.parametrize("query", sorted({*QUERIES} - {query for query, _ in ANSWERS}))
def test_a_query_that_is_shown_without_its_answer_runs(warehouse: Account, query: str) -> None:
    assert answer(warehouse, query)


def test_the_readme_shows_the_first_table_of_the_demo(warehouse: Account) -> None:
    assert DEMO.findall(TEXTS["README.md"]) == [answer(warehouse, first_demo_query())], STALE


def test_the_gate_judges_the_demo_as_the_document_says(warehouse: Account) -> None:
    ((options, shown),) = GATE.findall(TEXTS["ci.md"])

    assert shown == judgement(warehouse, options), STALE


def test_each_of_the_questions_has_an_answer() -> None:
    questions = TEXTS["questions.md"]

    assert len(ANSWER.findall(TEXTS["README.md"])) == 3
    assert len(ANSWER.findall(questions)) >= questions.count("**") / 2 >= 8


def test_the_demo_calls_its_flaky_scenarios_flaky_and_at_most_a_third_of_all(warehouse: Account) -> None:
    planted = {s.id for s in demo.invent(0, NOW).account.scenarios.values() if s.temper == "flaky"}
    verdicts = warehouse.query("select scenario_id, verdict from analytics.scenario_flakiness")
    flaky = {scenario_id for scenario_id, verdict in verdicts if verdict == "flaky"}

    assert len(planted) == 12
    assert flaky >= planted
    assert len(flaky) <= len(verdicts) / 3


def test_the_demo_prints_columns_under_the_names_that_the_views_give_them(warehouse: Account) -> None:
    for view, query in demo.VIEWS.items():
        in_view = {column for (column,) in warehouse.query(f"select column_name from (describe {view})")}

        assert {column for (column, *_) in warehouse.query(f"describe {query}")} <= in_view, view


def test_the_demo_compares_versions_and_only_that_of_the_planted_fall_is_worse(warehouse: Account) -> None:
    verdicts = warehouse.query(
        "select agent_name, agent_version, verdict from analytics.agent_version_pass_rate where verdict <> 'same'"
    )

    assert verdicts == [("Aurora Clinic Reception", f"v{demo.VERSIONS}", "regressed")]
