-- One row per agent: the day on which its pass rate most probably changed, and whether it declined or improved gradually.
-- Looks at the 90 UTC days that end with the newest result of the warehouse, within scenarios. Verdicts are NULL if fewer than 14 days have runs.
-- A slow decline often looks like a step too, and a step like a decline: if both are found, look at agent_daily.
-- docs/statistics.md has the method and its error rates.
with agents as (
    select agent_id, agent_name, row_number() over (order by agent_id) as agent_number
    from analytics.agents
),

moments as (
    select created_at, created_on
    from analytics.live_results
),

newest as (
    select last_day
    from newest_day(moments) as newest
),

cells as (
    select
        agents.agent_number,
        runs.scenario_key as scenario,
        results.created_on as day,
        date_diff('day', cast('1970-01-01' as date), results.created_on) as day_number,
        count(*) as runs,
        count(*) filter (where runs.passed) as passes
    from analytics.results as results
    inner join newest on results.created_on between newest.last_day - 89 and newest.last_day
    inner join agents on agents.agent_id is not distinct from results.agent_id
    inner join analytics.runs as runs on runs.result_id = results.result_id
    where results.decided_runs > 0 and runs.passed is not null and runs.scenario_key is not null
    group by agents.agent_number, runs.scenario_key, results.created_on
),

scenarios as (
    select
        agent_number,
        scenario,
        rate(sum(passes), sum(runs)) as pass_rate,
        rate(sum(day_number * runs), sum(runs)) as middle
    from cells
    group by agent_number, scenario
),

-- excess: how many more runs of a day passed than its scenarios' rates predict. moment and spread: the sums for the straight line.
days as (
    select
        cells.agent_number,
        cells.day,
        cells.day_number,
        cast(sum(cells.runs) as bigint) as runs,
        sum(cells.passes - cells.runs * scenarios.pass_rate) as excess,
        sum((cells.day_number - scenarios.middle) * (cells.passes - cells.runs * scenarios.pass_rate)) as moment,
        sum((cells.day_number - scenarios.middle) * (cells.day_number - scenarios.middle) * cells.runs) as spread
    from cells
    inner join scenarios on scenarios.agent_number = cells.agent_number and scenarios.scenario = cells.scenario
    group by cells.agent_number, cells.day, cells.day_number
),

-- No day is NULL, but BigQuery needs `nulls first`.
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

-- The variance of a run, estimated from successive days, so that a step hardly changes it.
variances as (
    select agent_number, sum(jump * jump) / nullif(2 * count(jump), 0) as variance
    from sums
    group by agent_number
),

-- The least-squares line through the runs of all scenarios, each with its own level.
trends as (
    select
        days.agent_number,
        count(*) as days,
        rate(sum(days.moment), sum(days.spread)) * (max(days.day_number) - min(days.day_number)) as trend,
        abs(sum(days.moment)) / nullif(sqrt(max(variances.variance) * sum(days.spread)), 0) as trend_excursion
    from days
    inner join variances on variances.agent_number = days.agent_number
    group by days.agent_number
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
    case when excursion >= 3.35 then ranked.next_day end as changed_on, -- first UTC day of the new level; NULL without a step
    case when excursion >= 3.35 then ranked.step end as step, -- change of the pass rate on that day, within scenarios; negative if it fell; NULL without a step; not the number of a noted change as in agent_changes
    ranked.excursion, -- how clear the most probable step is, in standard deviations; at most 5 % of unchanged agents reach 3.35
    coalesce(trends.days, 0) as days, -- how many of the 90 days have runs
    case
        when ranked.agent_number is null then null
        when excursion >= 3.35 and step < 0 then 'fell'
        when excursion >= 3.35 and step > 0 then 'rose'
        else 'no step'
    end as verdict, -- fell, rose or no step; NULL if fewer than 14 days have runs
    case when trends.days >= 14 then trends.trend end as trend, -- change of the pass rate over these days along a straight line, within scenarios; negative if it declined
    case when trends.days >= 14 then trends.trend_excursion end as trend_excursion, -- how clear the trend is, in standard deviations; at most 2.5 % of unchanged agents reach 2.5
    case
        when trends.days >= 14 and trend_excursion >= 2.5 and trend < 0 then 'declined'
        when trends.days >= 14 and trend_excursion >= 2.5 and trend > 0 then 'improved'
        when trends.days >= 14 then 'no trend'
    end as trend_verdict -- declined, improved or no trend; NULL if fewer than 14 days have runs
from agents
left join ranked on ranked.agent_number = agents.agent_number and ranked.rank = 1
left join trends on trends.agent_number = agents.agent_number
