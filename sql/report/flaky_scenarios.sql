-- The ten flakiest scenarios, over their whole history, of those that failed in the last 30 days: one that was mended leaves.
-- The lower end of the interval of the flip rate decides, so that few runs do not make a scenario the flakiest of all.
with as_of as (
    select coalesce(last_sync_at, current_timestamp) as moment
    from analytics.sync_status
),

-- x flips in n steps, z for 95 %: the letters of the interval's formula.
counts as (
    select
        flakiness.*,
        rates.pass_rate,
        cast(flakiness.flips as double) as x,
        cast(flakiness.decided_runs - 1 as double) as n,
        cast(1.959963984540054 as double) as z
    from analytics.scenario_flakiness as flakiness
    inner join analytics.scenario_pass_rate as rates
        on rates.agent_id is not distinct from flakiness.agent_id
        and rates.scenario_id is not distinct from flakiness.scenario_id
    inner join as_of on rates.last_failed_at >= as_of.moment - interval '30 days'
    where flakiness.verdict = 'flaky'
),

-- Wilson's score interval: R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
rated as (
    select
        *,
        (x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4)) / (n + z * z) as flip_rate_low,
        1 - (n - x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4)) / (n + z * z) as flip_rate_high
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
