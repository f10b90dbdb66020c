-- One row per agent, scenario and basis: a scenario that passed reliably before and fails now (newly failing), or the reverse (fixed).
-- Basis 'last week': the 7 UTC days that end with the newest result of the warehouse, compared with the 28 days before.
-- Basis 'last result': the newest result with its agent, name and channel, compared with the earlier ones of these 35 days. If it has only one run
-- of the scenario, the result before it counts as new too. docs/statistics.md has the rule and its error rates.
with agents as (
    select agent_id, agent_name, row_number() over (order by agent_id) as agent_number
    from analytics.agents
),

placed as (
    select
        recent.result_id,
        recent.of_last_week,
        agents.agent_number,
        dense_rank() over (order by agents.agent_number, recent.result_name, recent.channel) as series,
        row_number() over (
            partition by agents.agent_number, recent.result_name, recent.channel
            order by recent.created_at desc, recent.result_id desc
        ) as place
    from analytics.agent_last_week_results as recent
    inner join agents on agents.agent_id is not distinct from recent.agent_id
),

decided as (
    select
        placed.agent_number,
        placed.series,
        placed.place,
        placed.of_last_week,
        runs.result_id,
        runs.run_id,
        runs.created_at,
        runs.scenario_key as scenario,
        runs.scenario_id,
        runs.scenario_name,
        runs.passed
    from placed
    inner join analytics.runs as runs on runs.result_id = placed.result_id
    where runs.passed is not null and runs.scenario_key is not null
),

-- Only series that ran in the last week have a last result. Only the scenarios in it are compared.
last_results as (
    select
        series,
        scenario,
        count(*) filter (where place = 1) as newest_runs,
        min(case when place > 1 then place end) as second_place
    from decided
    group by series, scenario
    having count(*) filter (where place = 1 and of_last_week) > 0
),

-- Comparisons of the last week have negative numbers.
runs as (
    select
        -cast(decided.agent_number as bigint) as comparison,
        'last week' as basis,
        decided.agent_number,
        decided.of_last_week as is_after,
        decided.result_id,
        decided.run_id,
        decided.created_at,
        decided.scenario,
        decided.scenario_id,
        decided.scenario_name,
        decided.passed
    from decided
    union all
    select
        cast(decided.series as bigint) as comparison,
        'last result' as basis,
        decided.agent_number,
        decided.place = 1
        or (last_results.newest_runs = 1 and decided.place = coalesce(last_results.second_place, 1)) as is_after,
        decided.result_id,
        decided.run_id,
        decided.created_at,
        decided.scenario,
        decided.scenario_id,
        decided.scenario_name,
        decided.passed
    from decided
    inner join last_results
        on last_results.series = decided.series
        and last_results.scenario = decided.scenario
),

-- 0.95 and 0.05 are the bounds of reliable and broken in scenario_flakiness.
called as (
    select
        *,
        case
            when before_rate >= 0.95 and after_rate < 0.5
                and wilson_high(after_passed, after_runs) < wilson_low(before_passed, before_runs)
                then 'newly failing'
            when before_rate <= 0.05 and after_rate > 0.5
                and wilson_low(after_passed, after_runs) > wilson_high(before_passed, before_runs)
                then 'fixed'
        end as verdict
    from compared_scenarios(runs) as compared
    where after_runs >= 2
),

-- A scenario can have a last result under several names: the newest run is shown.
examples as (
    select
        called.*,
        runs.scenario_id,
        runs.scenario_name,
        runs.basis,
        runs.agent_number,
        runs.run_id,
        runs.result_id,
        runs.created_at,
        row_number() over (
            partition by runs.agent_number, runs.scenario, runs.basis order by runs.created_at desc, runs.run_id desc
        ) as place
    from called
    inner join runs
        on runs.comparison = called.comparison
        and runs.scenario = called.scenario
        and runs.passed = (called.verdict = 'fixed')
    where called.verdict is not null and runs.is_after
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    examples.scenario_id, -- Cekura's id of the scenario; NULL where the API sends only its name
    examples.scenario as scenario_key, -- identifies the scenario: its id, or 'name ' and its name if it has no id
    examples.scenario_name, -- its name in the example run
    examples.basis, -- last result or last week
    examples.verdict, -- newly failing or fixed
    examples.before_runs as previous_decided_runs, -- its decided runs before
    examples.before_passed as previous_passed_runs, -- how many of them passed
    examples.before_rate as previous_pass_rate, -- previous_passed_runs / previous_decided_runs
    examples.after_runs as decided_runs, -- its decided runs of the last result, or of the last week
    examples.after_passed as passed_runs, -- how many of them passed
    examples.after_rate as pass_rate, -- passed_runs / decided_runs
    examples.run_id, -- example: the newest of these runs that failed, or that passed if the verdict is fixed
    examples.result_id, -- the result of that run
    examples.created_at -- when that result was triggered
from examples
inner join agents on agents.agent_number = examples.agent_number
where examples.place = 1
