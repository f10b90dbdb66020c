-- One row per agent: the 7 UTC days that end with the newest result of the warehouse, against the 28 days before them.
-- Four weeks and not one: with more runs to hold it against, a smaller change of the last week shows.
-- Verdict: improved or regressed when the interval of the difference excludes 0, else same; NULL without a comparison.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

-- The newest result of all agents ends the week, not the clock: a warehouse that nobody refreshes has a last week too.
newest as (
    select max(created_on) as last_day
    from analytics.live_results
    where created_on <= cast(current_timestamp at time zone 'UTC' as date)
),

decided as (
    select
        results.agent_id,
        results.created_on > newest.last_day - 7 as of_this_week,
        results.decided_runs,
        results.passed_runs
    from analytics.results as results
    inner join newest on results.created_on between newest.last_day - 34 and newest.last_day
    where results.decided_runs > 0
),

sums as (
    select
        agent_id,
        count(*) filter (where of_this_week) as results,
        coalesce(sum(case when of_this_week then decided_runs end), 0) as decided_runs,
        coalesce(sum(case when of_this_week then passed_runs end), 0) as passed_runs,
        count(*) filter (where not of_this_week) as previous_results,
        coalesce(sum(case when not of_this_week then decided_runs end), 0) as previous_decided_runs,
        coalesce(sum(case when not of_this_week then passed_runs end), 0) as previous_passed_runs
    from decided
    group by agent_id
),

compared as (
    select
        *,
        rate(passed_runs, decided_runs) - rate(previous_passed_runs, previous_decided_runs) as difference,
        newcombe_low(passed_runs, decided_runs, previous_passed_runs, previous_decided_runs)
            as difference_low,
        newcombe_high(passed_runs, decided_runs, previous_passed_runs, previous_decided_runs)
            as difference_high
    from sums
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    newest.last_day, -- the UTC day that ends the last week: the same for all agents
    coalesce(results, 0) as results, -- completed results with decided runs of the last week
    cast(coalesce(decided_runs, 0) as bigint) as decided_runs, -- their runs
    cast(coalesce(passed_runs, 0) as bigint) as passed_runs, -- how many of them passed
    rate(passed_runs, decided_runs) as pass_rate, -- passed_runs / decided_runs
    coalesce(previous_results, 0) as previous_results, -- the same of the 28 days before
    cast(coalesce(previous_decided_runs, 0) as bigint) as previous_decided_runs, -- their runs
    cast(coalesce(previous_passed_runs, 0) as bigint) as previous_passed_runs, -- how many of them passed
    rate(previous_passed_runs, previous_decided_runs) as previous_pass_rate, -- previous_passed_runs / previous_decided_runs
    difference, -- pass_rate - previous_pass_rate
    difference_low, -- lower end of Newcombe's 95 % interval of the difference
    difference_high, -- upper end of Newcombe's 95 % interval of the difference
    verdict(difference_low, difference_high) as verdict -- improved, same, regressed
from agents
cross join newest
left join compared on compared.agent_id is not distinct from agents.agent_id
