-- The ten flakiest scenarios, by their newest 50 runs, of those that failed in the last 30 days, so that a fixed one disappears.
-- The lower end of the interval of the flip rate decides, so that few runs do not make a scenario the flakiest of all.
with as_of as (
    select coalesce(last_sync_at, current_timestamp) as moment
    from analytics.sync_status
),

counts as (
    select flakiness.*
    from analytics.scenario_flakiness as flakiness
    inner join analytics.scenario_pass_rate as rates
        on rates.agent_id is not distinct from flakiness.agent_id
        and rates.scenario_key is not distinct from flakiness.scenario_key
    inner join as_of on rates.last_failed_at >= as_of.moment - interval '30 days'
    where flakiness.verdict = 'flaky'
),

rated as (
    select
        *,
        wilson_low(flips, decided_runs - 1) as flip_rate_low,
        wilson_high(flips, decided_runs - 1) as flip_rate_high
    from counts
)

select
    agent_id,
    agent_name,
    scenario_id,
    scenario_name,
    decided_runs,
    flips,
    flip_rate,
    flip_rate_low,
    flip_rate_high,
    pass_rate
from rated
order by flip_rate_low desc, agent_id, scenario_id
limit 10
