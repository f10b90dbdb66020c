-- One row per agent: the 7 UTC days that end with the newest result of the warehouse, compared with the 28 days before them.
-- Comparing with four weeks instead of one makes smaller changes visible.
-- The verdict compares runs of the same scenarios, so a different mix of scenarios does not change it. It is corrected for the number of agents.
with agents as (
    select agent_id, agent_name, row_number() over (order by agent_id) as comparison
    from analytics.agents
),

decided as (
    select
        agents.comparison,
        results.result_id,
        results.day,
        results.last_day,
        results.of_last_week,
        results.decided_runs,
        results.passed_runs
    from analytics.agent_last_week_results as results
    inner join agents on agents.agent_id is not distinct from results.agent_id
),

newest as (
    select max(last_day) as last_day
    from decided
),

runs as (
    select
        decided.comparison,
        1 as family,
        1 as peers,
        decided.of_last_week as is_after,
        decided.result_id,
        decided.day,
        runs.scenario_key as scenario,
        runs.passed,
        3 as least_results
    from decided
    inner join analytics.runs as runs on runs.result_id = decided.result_id
    where runs.passed is not null
),

comparisons as (
    select *
    from compared(runs) as compared
),

sums as (
    select
        comparison,
        count(*) filter (where of_last_week) as results,
        coalesce(sum(case when of_last_week then decided_runs end), 0) as decided_runs,
        coalesce(sum(case when of_last_week then passed_runs end), 0) as passed_runs,
        count(*) filter (where not of_last_week) as previous_results,
        coalesce(sum(case when not of_last_week then decided_runs end), 0) as previous_decided_runs,
        coalesce(sum(case when not of_last_week then passed_runs end), 0) as previous_passed_runs
    from decided
    group by comparison
),

differences as (
    select
        *,
        rate(passed_runs, decided_runs) as pass_rate,
        rate(previous_passed_runs, previous_decided_runs) as previous_pass_rate
    from sums
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    newest.last_day, -- last UTC day of the last week; the same for all agents
    coalesce(results, 0) as results, -- completed results with decided runs of the last week
    cast(coalesce(decided_runs, 0) as bigint) as decided_runs, -- their decided runs
    cast(coalesce(passed_runs, 0) as bigint) as passed_runs, -- how many of them passed
    pass_rate, -- passed_runs / decided_runs
    coalesce(previous_results, 0) as previous_results, -- completed results with decided runs of the 28 days before
    cast(coalesce(previous_decided_runs, 0) as bigint) as previous_decided_runs, -- their decided runs
    cast(coalesce(previous_passed_runs, 0) as bigint) as previous_passed_runs, -- how many of them passed
    previous_pass_rate, -- previous_passed_runs / previous_decided_runs
    pass_rate - previous_pass_rate as difference, -- pass_rate - previous_pass_rate, over all runs
    pass_rate - previous_pass_rate - adjusted_difference as mix_effect, -- the part of difference that is due to which scenarios ran, and how often
    adjusted_difference, -- the difference within the scenarios that ran on both sides
    adjusted_low, -- lower end of its 95 % interval
    adjusted_high, -- upper end of its 95 % interval
    coalesce(shared_scenarios, 0) as shared_scenarios, -- scenarios that ran on both sides
    rate(coalesce(covered_runs, 0), decided_runs + previous_decided_runs) as covered_share, -- the share of these runs that belong to shared scenarios
    p_value, -- how often chance alone gives an adjusted_difference at least this far from 0
    smallest_visible_difference, -- the smallest true difference that a comparison like this one detects in 80 % of cases
    verdict, -- improved, same or regressed, corrected for the number of agents; NULL if there is none, see no_verdict_because
    coalesce(possible, false) as possible, -- whether the interval excludes 0 although the verdict is same
    case when verdict is null then coalesce(no_verdict_because, 'no decided runs on one side') end as no_verdict_because -- why there is no verdict
from agents
cross join newest
left join differences on differences.comparison = agents.comparison
left join comparisons on comparisons.comparison = agents.comparison
