-- One row per agent and version of it, where the API sends agent_version, beside the version that came before and has decided runs.
-- Verdict: improved or regressed when the interval of the difference excludes 0, else same; NULL without a comparison.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

results as (
    select agent_id, agent_version, status_group, decided_runs, passed_runs, created_at
    from analytics.results
    where agent_version is not null
),

sums as (
    select
        agent_id,
        agent_version,
        count(*) as results,
        count(*) filter (where status_group = 'completed') as completed_results,
        cast(coalesce(sum(decided_runs), 0) as bigint) as decided_runs,
        cast(coalesce(sum(passed_runs), 0) as bigint) as passed_runs,
        min(created_at) as first_result_at,
        max(created_at) as last_result_at
    from results
    group by agent_id, agent_version
),

-- x passes of n, z for 95 %.
counts as (
    select
        *,
        decided_runs > 0 as comparable,
        cast(passed_runs as double) as x,
        nullif(cast(decided_runs as double), 0) as n,
        cast(1.959963984540054 as double) as z
    from sums
),

-- Wilson's score interval: R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
rated as (
    select
        *,
        x / n as p,
        (x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4)) / (n + z * z) as low,
        1 - (n - x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4)) / (n + z * z) as high
    from counts
),

paired as (
    select
        *,
        lag(agent_version) over earlier as version_before,
        lag(decided_runs) over earlier as decided_runs_before,
        lag(passed_runs) over earlier as passed_runs_before,
        lag(p) over earlier as previous_p,
        lag(low) over earlier as previous_low,
        lag(high) over earlier as previous_high
    from rated
    window earlier as (partition by agent_id, comparable order by first_result_at, agent_version)
),

-- The difference of two proportions: R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10.
compared as (
    select
        *,
        p - previous_p as difference,
        p - previous_p - sqrt((p - low) * (p - low) + (previous_high - previous_p) * (previous_high - previous_p))
            as difference_low,
        p - previous_p + sqrt((high - p) * (high - p) + (previous_p - previous_low) * (previous_p - previous_low))
            as difference_high
    from paired
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    compared.agent_version, -- version of the agent, in the API's own words
    compared.results, -- live results of it, whatever their status
    compared.completed_results, -- results with status completed
    compared.decided_runs, -- runs of completed results
    compared.passed_runs, -- decided runs that passed
    p as pass_rate, -- passed_runs / decided_runs
    low as pass_rate_low, -- lower end of the Wilson 95 % interval of pass_rate
    high as pass_rate_high, -- upper end of the Wilson 95 % interval of pass_rate
    compared.first_result_at, -- when its first result was triggered: versions come one after another by this
    compared.last_result_at, -- when its newest result was triggered
    case when comparable then version_before end as previous_version, -- the version that it is compared with
    case when comparable then decided_runs_before end as previous_decided_runs, -- runs of that version
    case when comparable then passed_runs_before end as previous_passed_runs, -- how many of those passed
    previous_p as previous_pass_rate, -- the ratio of these two
    difference, -- pass_rate - previous_pass_rate
    difference_low, -- lower end of Newcombe's 95 % interval of the difference
    difference_high, -- upper end of Newcombe's 95 % interval of the difference
    case
        when difference_low > 0 then 'improved'
        when difference_high < 0 then 'regressed'
        when difference is not null then 'same'
    end as verdict -- improved, same, regressed
from compared
inner join agents on agents.agent_id is not distinct from compared.agent_id
