-- One row per agent and scenario that completed results have run: how often the agent passes it.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

completed as (
    select agent_id, scenario_id, run_id, scenario_name, passed, created_at
    from analytics.runs
    where result_status_group = 'completed'
),

sums as (
    select
        agent_id,
        scenario_id,
        max(case when scenario_name is not null then run_id end) as last_named_run_id,
        count(*) as runs,
        count(passed) as decided_runs,
        count(*) filter (where passed) as passed_runs,
        max(case when not passed then created_at end) as last_failed_at
    from completed
    group by agent_id, scenario_id
),

-- x passes of n, z for 95 %: the letters of the interval's formula, which solved for n gives the runs
-- that make its half as wide as w.
counts as (
    select
        *,
        cast(passed_runs as double) as x,
        nullif(cast(decided_runs as double), 0) as n,
        cast(passed_runs as double) * (decided_runs - passed_runs)
            / nullif(cast(decided_runs as double) * decided_runs, 0) as pq,
        cast(1.959963984540054 as double) as z,
        cast(0.05 as double) as w
    from sums
)

-- Wilson's score interval: R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    counts.scenario_id, -- Cekura's id of the scenario
    names.scenario_name, -- the name that its newest run, the one with the greatest id, carries
    counts.runs, -- runs of it in completed results
    counts.decided_runs, -- those of which the API says whether they passed
    counts.passed_runs, -- decided runs that passed
    x / n as pass_rate, -- passed_runs / decided_runs
    (x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4))
        / (n + z * z) as pass_rate_low, -- lower end of the Wilson 95 % interval of pass_rate
    1 - (n - x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4))
        / (n + z * z) as pass_rate_high, -- upper end of the Wilson 95 % interval of pass_rate
    -- Without runs ClickHouse would cast infinity, though nobody looks at it.
    case
        when n > 0
            then cast(ceil(z * z / (2 * w * w) * (pq - 2 * w * w + sqrt(pq * pq - 4 * pq * w * w + w * w))) as bigint)
    end as runs_needed, -- runs after which, at this rate, that interval is 0.1 wide: 5 points to either side
    counts.last_failed_at -- when the newest result with a failed run of it was triggered
from counts
inner join agents on agents.agent_id is not distinct from counts.agent_id
left join analytics.runs as names on names.run_id = counts.last_named_run_id
