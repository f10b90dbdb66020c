from support.base import Base


def test_a_metric_goes_by_the_name_and_type_of_its_newest_run_that_names_it(base: Base) -> None:
    base.result(1, of=3)
    base.metric(3, 1, name=None, type="numeric")
    base.metric(2, 1, name="New", type="binary")
    base.metric(1, 1, name="Old", type="enum")

    assert base.rows("select metric_id, metric_name, metric_type, runs from analytics.metrics") == [
        (901, "New", "binary", 3)
    ]


def test_a_metric_without_an_id_goes_by_its_name_and_one_without_either_is_one_row(base: Base) -> None:
    base.result(1, of=1)
    base.metric(1, 1, metric_id=None, name="Tone", score=1.0)
    base.metric(1, 1, metric_id=None, name=None)
    base.metric(2, 1, metric_id=None, name="Tone")

    assert base.rows(
        "select metric_key, metric_id, metric_name, runs, scored_runs from analytics.metrics order by all"
    ) == [("name Tone", None, "Tone", 2, 1), ("unnamed", None, None, 1, 0)]


def test_metrics_of_results_without_an_agent_are_kept_under_null(base: Base) -> None:
    base.measured(1, True, agent=None)

    assert base.rows("select agent_id, metric_id from analytics.metrics") == [(None, 901)]
