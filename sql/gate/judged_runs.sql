-- One row per run that the gate compares, in the form that compared() takes: whether it passed, or passed the metric.
with passes as (
    select sides.comparison, runs.run_id, runs.result_id, runs.scenario_key, runs.scenario_id, runs.scenario_name, runs.passed
    from sides
    inner join analytics.runs as runs on runs.result_id = sides.result_id
    where sides.metric is null and runs.passed is not null
    union all
    select
        sides.comparison,
        metrics.run_id,
        metrics.result_id,
        scenario_key(metrics.scenario_id, metrics.scenario_name),
        metrics.scenario_id,
        metrics.scenario_name,
        min(case when metrics.passed then 1 else 0 end) = 1 -- of two metrics with this name the run passes both
    from sides
    inner join analytics.run_metrics as metrics
        on metrics.result_id = sides.result_id
        and metrics.metric_name = sides.metric
    where metrics.passed is not null
    group by sides.comparison, metrics.run_id, metrics.result_id, metrics.scenario_id, metrics.scenario_name
)

select
    sides.comparison,
    1 as family,
    sides.comparison as peers,
    sides.is_after,
    sides.result_id,
    sides.day,
    passes.scenario_key as scenario,
    passes.passed,
    sides.least_results,
    passes.run_id,
    passes.scenario_id,
    passes.scenario_name
from passes
inner join sides on sides.comparison = passes.comparison and sides.result_id = passes.result_id
