-- One row per agent: the day at which its pass rate, within its scenarios, most probably changed in the 90 UTC days that end with the newest
-- result of the warehouse. Verdict: fell, rose, or no step; NULL with fewer than 14 days with runs.
-- docs/statistics.md has the method, and how often it is wrong.
with agents as (
    select agent_id, agent_name, row_number() over (order by agent_id) as agent_number
    from analytics.agents
),

newest as (
    select max(created_on) as last_day
    from analytics.live_results
    where created_on <= cast(current_timestamp at time zone 'UTC' as date)
),

runs as (
    select
        agents.agent_number,
        results.created_on as day,
        runs.scenario_key as scenario,
        case when runs.passed then 1 else 0 end as passes
    from analytics.results as results
    inner join newest on results.created_on between newest.last_day - 89 and newest.last_day
    inner join agents on agents.agent_id is not distinct from results.agent_id
    inner join analytics.runs as runs on runs.result_id = results.result_id
    where results.decided_runs > 0 and runs.passed is not null and runs.scenario_key is not null
),

scenarios as (
    select agent_number, scenario, avg(cast(passes as double)) as pass_rate
    from runs
    group by agent_number, scenario
),

-- By how many passes a day lies above its scenarios' rates.
days as (
    select
        runs.agent_number,
        runs.day,
        count(*) as runs,
        sum(runs.passes - scenarios.pass_rate) as excess
    from runs
    inner join scenarios on scenarios.agent_number = runs.agent_number and scenarios.scenario = runs.scenario
    group by runs.agent_number, runs.day
),

-- No day is NULL; BigQuery wants it said where it would stand.
sums as (
    select
        agent_number,
        day,
        excess / sqrt(runs) - lag(excess / sqrt(runs)) over by_day as jump,
        sum(excess) over by_day as excess_so_far,
        cast(sum(runs) over by_day as double) as runs_so_far,
        cast(sum(runs) over (partition by agent_number) as double) as all_runs,
        lead(day) over by_day as next_day,
        row_number() over by_day as place,
        count(*) over (partition by agent_number) as days
    from days
    window by_day as (partition by agent_number order by day nulls first)
),

-- The variance of a run, from successive days: a step moves it little.
variances as (
    select agent_number, sum(jump * jump) / nullif(2 * count(jump), 0) as variance
    from sums
    group by agent_number
),

excursions as (
    select
        sums.agent_number,
        sums.next_day,
        sums.days,
        -sums.excess_so_far * all_runs / nullif(runs_so_far * (all_runs - runs_so_far), 0) as step,
        abs(sums.excess_so_far)
            / nullif(sqrt(variances.variance * runs_so_far * (all_runs - runs_so_far) / all_runs), 0) as excursion
    from sums
    inner join variances on variances.agent_number = sums.agent_number
    where sums.place between 3 and sums.days - 3 and sums.days >= 14
),

ranked as (
    select
        *,
        row_number() over (
            partition by agent_number order by case when excursion is null then 1 else 0 end, excursion desc, next_day
        ) as rank
    from excursions
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    case when excursion >= 3.35 then ranked.next_day end as changed_on, -- the first UTC day of the new level; NULL without a step
    case when excursion >= 3.35 then ranked.step end as step, -- how much higher the pass rate is since then, within scenarios; NULL without a step
    ranked.excursion, -- how far the largest excursion lies out; unchanged agents pass 3.35 in at most 5 % of cases
    coalesce(counts.days, 0) as days, -- days with runs in these 90
    case
        when ranked.agent_number is null then null
        when excursion >= 3.35 and step < 0 then 'fell'
        when excursion >= 3.35 and step > 0 then 'rose'
        else 'no step'
    end as verdict -- fell, rose, no step; NULL with fewer than 14 days with runs
from agents
left join ranked on ranked.agent_number = agents.agent_number and ranked.rank = 1
left join (
    select agent_number, count(*) as days
    from days
    group by agent_number
) as counts on counts.agent_number = agents.agent_number
