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

-- x passes of n, z for 95 %; 1 is the last week, 2 the 28 days before it.
counts as (
    select
        *,
        cast(passed_runs as double) as x1,
        nullif(cast(decided_runs as double), 0) as n1,
        cast(previous_passed_runs as double) as x2,
        nullif(cast(previous_decided_runs as double), 0) as n2,
        cast(1.959963984540054 as double) as z
    from sums
),

-- Wilson's score interval: R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
rated as (
    select
        *,
        x1 / n1 as p1,
        (x1 + z * z / 2 - z * sqrt(x1 * (n1 - x1) / n1 + z * z / 4)) / (n1 + z * z) as low1,
        1 - (n1 - x1 + z * z / 2 - z * sqrt(x1 * (n1 - x1) / n1 + z * z / 4)) / (n1 + z * z) as high1,
        x2 / n2 as p2,
        (x2 + z * z / 2 - z * sqrt(x2 * (n2 - x2) / n2 + z * z / 4)) / (n2 + z * z) as low2,
        1 - (n2 - x2 + z * z / 2 - z * sqrt(x2 * (n2 - x2) / n2 + z * z / 4)) / (n2 + z * z) as high2
    from counts
),

-- The difference of two proportions: R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10.
compared as (
    select
        *,
        p1 - p2 as difference,
        p1 - p2 - sqrt((p1 - low1) * (p1 - low1) + (high2 - p2) * (high2 - p2)) as difference_low,
        p1 - p2 + sqrt((high1 - p1) * (high1 - p1) + (p2 - low2) * (p2 - low2)) as difference_high
    from rated
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    newest.last_day, -- the UTC day that ends the last week: the same for all agents
    coalesce(results, 0) as results, -- completed results with decided runs of the last week
    cast(coalesce(decided_runs, 0) as bigint) as decided_runs, -- their runs
    cast(coalesce(passed_runs, 0) as bigint) as passed_runs, -- how many of them passed
    p1 as pass_rate, -- passed_runs / decided_runs
    coalesce(previous_results, 0) as previous_results, -- the same of the 28 days before
    cast(coalesce(previous_decided_runs, 0) as bigint) as previous_decided_runs, -- their runs
    cast(coalesce(previous_passed_runs, 0) as bigint) as previous_passed_runs, -- how many of them passed
    p2 as previous_pass_rate, -- previous_passed_runs / previous_decided_runs
    difference, -- pass_rate - previous_pass_rate
    difference_low, -- lower end of Newcombe's 95 % interval of the difference
    difference_high, -- upper end of Newcombe's 95 % interval of the difference
    case
        when difference_low > 0 then 'improved'
        when difference_high < 0 then 'regressed'
        when difference is not null then 'same'
    end as verdict -- improved, same, regressed
from agents
cross join newest
left join compared on compared.agent_id is not distinct from agents.agent_id
