-- Do the views of agents add up to the results that they are made of?
with results as (
    select created_on, status_group, decided_runs, passed_runs
    from analytics.results
),

-- A result without a date belongs to no day, so the views of days and weeks are held against the dated ones.
expected as (
    select
        count(*) filter (where status_group = 'completed') as completed_results,
        coalesce(sum(decided_runs), 0) as decided_runs,
        coalesce(sum(passed_runs), 0) as passed_runs
    from results
),

expected_of_dated as (
    select
        count(*) filter (where status_group = 'completed') as completed_results,
        coalesce(sum(decided_runs), 0) as decided_runs,
        coalesce(sum(passed_runs), 0) as passed_runs
    from results
    where created_on is not null
),

expected_of_views as (
    select 'agent_pass_rate' as view_name, * from expected
    union all
    select 'agent_run_counts', * from expected
    union all
    select 'agent_segments', * from expected
    union all
    select 'agent_daily', * from expected_of_dated
    union all
    select 'agent_weekly', * from expected_of_dated
),

shown as (
    select 'agent_pass_rate' as view_name, completed_results, decided_runs, passed_runs
    from analytics.agent_pass_rate
    union all
    select 'agent_run_counts', completed_results, decided_runs, passed_runs
    from analytics.agent_run_counts
    union all
    select 'agent_segments', completed_results, decided_runs, passed_runs
    from analytics.agent_segments
    union all
    select 'agent_daily', completed_results, decided_runs, passed_runs
    from analytics.agent_daily
    union all
    select 'agent_weekly', completed_results, decided_runs, passed_runs
    from analytics.agent_weekly
),

totals as (
    select
        view_name,
        sum(completed_results) as completed_results,
        sum(decided_runs) as decided_runs,
        sum(passed_runs) as passed_runs
    from shown
    group by view_name
)

select
    expected.view_name,
    totals.completed_results,
    expected.completed_results as expected_completed_results,
    totals.decided_runs,
    expected.decided_runs as expected_decided_runs,
    totals.passed_runs,
    expected.passed_runs as expected_passed_runs
from expected_of_views as expected
left join totals on totals.view_name = expected.view_name
where coalesce(totals.completed_results, 0) <> expected.completed_results
    or coalesce(totals.decided_runs, 0) <> expected.decided_runs
    or coalesce(totals.passed_runs, 0) <> expected.passed_runs
