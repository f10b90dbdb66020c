-- Do the views of metrics add up to the runs that they are made of?
with measured as (
    select created_on, score, passed
    from analytics.run_metrics
    where result_status_group = 'completed'
),

expected as (
    select 'metrics' as view_name, count(*) as runs, count(passed) as decided_runs
    from measured
    union all
    select 'metric_scores' as view_name, count(*) as runs, count(passed) as decided_runs
    from measured
    where created_on is not null
    union all
    select 'failing_metrics' as view_name, count(passed) as runs, count(passed) as decided_runs
    from measured
),

shown as (
    select 'metrics' as view_name, runs, decided_runs
    from analytics.metrics
    union all
    select 'metric_scores' as view_name, runs, decided_runs
    from analytics.metric_scores
    union all
    select 'failing_metrics' as view_name, decided_runs as runs, decided_runs
    from analytics.failing_metrics
),

totals as (
    select view_name, sum(runs) as runs, sum(decided_runs) as decided_runs
    from shown
    group by view_name
)

select
    expected.view_name,
    totals.runs,
    expected.runs as expected_runs,
    totals.decided_runs,
    expected.decided_runs as expected_decided_runs
from expected
left join totals on totals.view_name = expected.view_name
where coalesce(totals.runs, 0) <> expected.runs
    or coalesce(totals.decided_runs, 0) <> expected.decided_runs
