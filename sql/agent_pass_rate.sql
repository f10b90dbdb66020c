-- One row per agent: how often it passes. Each rate is a ratio of sums, 0 to 1, and NULL where there is nothing to divide by.
-- In-flight, cancelled and infrastructure failed results are outside pass_rate.
with agents as (
    select agent_id, agent_name, first_result_at, last_result_at
    from analytics.agents
),

results as (
    select agent_id, status_group, runs, decided_runs, passed_runs, expected_outcomes, met_expected_outcomes
    from analytics.results
),

sums as (
    select
        agent_id,
        count(*) filter (where status_group = 'completed') as completed_results,
        count(*) filter (where status_group = 'infrastructure_failure') as failed_results,
        cast(coalesce(sum(decided_runs), 0) as bigint) as decided_runs,
        cast(coalesce(sum(passed_runs), 0) as bigint) as passed_runs,
        coalesce(sum(case when status_group = 'infrastructure_failure' then runs end), 0) as failed_runs,
        sum(case when status_group = 'completed' then expected_outcomes end) as expected_outcomes,
        sum(case when status_group = 'completed' then met_expected_outcomes end) as met_expected_outcomes
    from results
    group by agent_id
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
    counts.completed_results, -- results with status completed
    counts.decided_runs, -- runs of completed results
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
    x / nullif(decided_runs + failed_runs, 0) as strict_pass_rate, -- runs of infrastructure failures count as not passed
    cast(met_expected_outcomes as double)
        / nullif(expected_outcomes, 0) as expected_outcome_rate, -- expected outcomes met in full, of completed results
    cast(failed_results as double)
        / nullif(completed_results + failed_results, 0) as infrastructure_failure_rate, -- failed or timeout, of what ended uncancelled
    agents.first_result_at, -- when its first result was triggered
    agents.last_result_at -- when its newest result was triggered
from counts
inner join agents on agents.agent_id is not distinct from counts.agent_id
