-- One row per agent and personality of the caller: how often runs with it pass.
-- Runs of completed results whose details were read; runs without a personality are one row, personality_name NULL.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

sums as (
    select
        agent_id,
        personality_name,
        count(*) as runs,
        count(passed) as decided_runs,
        count(*) filter (where passed) as passed_runs
    from analytics.run_details
    where result_status_group = 'completed'
    group by agent_id, personality_name
),

-- x passes of n, z for 95 %: the letters of the interval's formula.
counts as (
    select
        *,
        cast(passed_runs as double) as x,
        nullif(cast(decided_runs as double), 0) as n,
        cast(1.959963984540054 as double) as z
    from sums
)

-- Wilson's score interval: R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    counts.personality_name, -- the personality that the caller played
    counts.runs, -- runs with it
    counts.decided_runs, -- those of which the API says whether they passed
    counts.passed_runs, -- decided runs that passed
    x / n as pass_rate, -- passed_runs / decided_runs
    (x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4))
        / (n + z * z) as pass_rate_low, -- lower end of the Wilson 95 % interval of pass_rate
    1 - (n - x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4))
        / (n + z * z) as pass_rate_high -- upper end of the Wilson 95 % interval of pass_rate
from counts
inner join agents on agents.agent_id is not distinct from counts.agent_id
