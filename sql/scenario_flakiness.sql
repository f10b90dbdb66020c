-- One row per agent and scenario that completed results have run: does its outcome flip from run to run?
-- Verdict: not enough runs (under 5); flaky (a flip in at least every fifth step); broken (the last 5 all failed); else stable.
with names as (
    select agent_id, agent_name, scenario_id, scenario_key, scenario_name
    from analytics.scenario_pass_rate
),

decided as (
    select agent_id, scenario_key, run_id, passed, created_at
    from analytics.runs
    where result_status_group = 'completed' and passed is not null
),

-- Counted from the newest run backwards; a flip is a flip from either side.
steps as (
    select
        agent_id,
        scenario_key,
        passed,
        lag(passed) over newest_first as next_passed,
        row_number() over newest_first as place
    from decided
    window newest_first as (partition by agent_id, scenario_key order by created_at desc, run_id desc)
),

flips as (
    select
        agent_id,
        scenario_key,
        count(*) as decided_runs,
        count(*) filter (where passed <> next_passed) as flips,
        count(*) filter (where passed and place <= 5) as recent_passes
    from steps
    group by agent_id, scenario_key
),

rates as (
    select
        names.*,
        coalesce(flips.decided_runs, 0) as decided_runs,
        coalesce(flips.flips, 0) as flips,
        cast(flips.flips as double) / nullif(flips.decided_runs - 1, 0) as flip_rate,
        flips.recent_passes
    from names
    left join flips
        on flips.agent_id is not distinct from names.agent_id
        and flips.scenario_key is not distinct from names.scenario_key
)

select
    agent_id, -- Cekura's id of the agent
    agent_name, -- its newest name
    scenario_id, -- Cekura's id of the scenario; NULL where the API only names it
    scenario_key, -- what tells scenarios apart: the id, or the name of one that has none
    scenario_name, -- its newest name
    decided_runs, -- runs of it in completed results that passed or failed
    flips, -- how often such a run came out unlike the one before it
    flip_rate, -- flips / (decided_runs - 1)
    case
        when decided_runs < 5 then 'not enough runs'
        when flip_rate >= 0.2 then 'flaky'
        when recent_passes = 0 then 'broken'
        else 'stable'
    end as verdict -- stable, flaky, broken, not enough runs
from rates
