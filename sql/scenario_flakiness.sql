-- One row per agent and scenario of completed results, judged by its newest 50 decided runs.
-- Verdicts: reliable, mostly passes, flaky (neither outcome is the rule), mostly fails, broken, changed (it passed up to some run and
-- has failed since, or the reverse), not enough runs (fewer than 10). docs/statistics.md has the thresholds and their error rates.
with names as (
    select agent_id, agent_name, scenario_id, scenario_key, scenario_name
    from analytics.scenario_pass_rate
),

-- The months in which each scenario ran: only the runs since the one with its 50th newest run have to be sorted.
results as (
    select result_id, date_trunc('month', created_on) as month
    from analytics.live_results
    where status_group = 'completed'
),

months as (
    select
        runs.agent_id,
        runs.scenario_key,
        results.month,
        min(runs.created_at) as first_at,
        count(*) as decided_runs
    from analytics.runs
    inner join results on results.result_id = runs.result_id
    where runs.passed is not null and results.month is not null
    group by runs.agent_id, runs.scenario_key, results.month
),

months_so_far as (
    select
        agent_id,
        scenario_key,
        first_at,
        sum(decided_runs) over (partition by agent_id, scenario_key order by month desc) as decided_runs
    from months
),

windows as (
    select agent_id, scenario_key, max(first_at) as since
    from months_so_far
    where decided_runs >= 50
    group by agent_id, scenario_key
),

decided as (
    select
        runs.agent_id,
        runs.scenario_key,
        runs.passed,
        row_number() over (
            partition by runs.agent_id, runs.scenario_key order by runs.created_at desc, runs.run_id desc
        ) as place
    from analytics.runs
    left join windows
        on windows.agent_id is not distinct from runs.agent_id
        and windows.scenario_key is not distinct from runs.scenario_key
    where runs.result_status_group = 'completed'
        and runs.passed is not null
        and (windows.since is null or runs.created_at >= windows.since)
),

-- Counted backwards from the newest run; flips are the same in both directions. No place is NULL, but BigQuery needs `nulls first`.
steps as (
    select
        agent_id,
        scenario_key,
        passed,
        place,
        lag(passed) over newest_first as next_passed,
        sum(case when passed then 1 else 0 end) over newest_first as passed_so_far
    from decided
    where place <= 50
    window newest_first as (partition by agent_id, scenario_key order by place nulls first)
),

sums as (
    select
        agent_id,
        scenario_key,
        count(*) as decided_runs,
        count(*) filter (where passed) as passed_runs,
        count(*) filter (where passed <> next_passed) as flips
    from steps
    group by agent_id, scenario_key
),

-- How far the passes so far exceed, or fall short of, those of a constant rate.
excursions as (
    select
        steps.agent_id,
        steps.scenario_key,
        max(abs(steps.passed_so_far - steps.place * rate(sums.passed_runs, sums.decided_runs))) as excursion
    from steps
    inner join sums
        on sums.agent_id is not distinct from steps.agent_id
        and sums.scenario_key is not distinct from steps.scenario_key
    group by steps.agent_id, steps.scenario_key
),

rates as (
    select
        names.agent_id,
        names.agent_name,
        names.scenario_id,
        names.scenario_key,
        names.scenario_name,
        coalesce(sums.decided_runs, 0) as decided_runs,
        coalesce(sums.passed_runs, 0) as passed_runs,
        coalesce(sums.flips, 0) as flips,
        rate(sums.passed_runs, sums.decided_runs) as pass_rate,
        wilson_low(sums.passed_runs, sums.decided_runs) as pass_rate_low,
        wilson_high(sums.passed_runs, sums.decided_runs) as pass_rate_high,
        excursions.excursion,
        sqrt(sums.decided_runs * binomial_variance(sums.passed_runs, sums.decided_runs)) as deviation
    from names
    left join sums
        on sums.agent_id is not distinct from names.agent_id
        and sums.scenario_key is not distinct from names.scenario_key
    left join excursions
        on excursions.agent_id is not distinct from names.agent_id
        and excursions.scenario_key is not distinct from names.scenario_key
)

select
    agent_id, -- Cekura's id of the agent
    agent_name, -- its newest name
    scenario_id, -- Cekura's id of the scenario; NULL where the API sends only its name
    scenario_key, -- identifies the scenario: its id, or 'name ' and its name if it has no id
    scenario_name, -- its newest name
    decided_runs, -- its newest runs in completed results that passed or failed, at most 50
    passed_runs, -- how many of them passed
    pass_rate, -- passed_runs / decided_runs
    flips, -- how often the outcome of such a run differs from that of the run before it
    rate(flips, greatest(decided_runs - 1, 0)) as flip_rate, -- flips / (decided_runs - 1)
    case
        when decided_runs < 10 then 'not enough runs'
        -- A. Kolmogorov's bound: 7.5 % of constant rates exceed 1.28, and fewer with so few runs.
        when passed_runs >= 3 and decided_runs - passed_runs >= 3 and excursion >= 1.28 * deviation then 'changed'
        when is_flaky(passed_runs, decided_runs) then 'flaky'
        when pass_rate >= 0.95 then 'reliable'
        when pass_rate >= 0.5 then 'mostly passes'
        when pass_rate > 0.05 then 'mostly fails'
        else 'broken'
    end as verdict -- reliable, mostly passes, flaky, mostly fails, broken, changed or not enough runs
from rates
