-- One row per agent and version of it, where the API sends agent_version, beside the version that came before and has decided runs.
-- Verdict: improved or regressed when the interval of the difference excludes 0, else same; NULL without a comparison.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

results as (
    select
        agent_id, agent_version, agent_version_id, result_id, status_group, decided_runs, passed_runs, created_at,
        row_number() over (
            partition by agent_id, agent_version_id
            order by case when created_at is null then 1 else 0 end, created_at desc, result_id desc
        ) as place
    from analytics.results
    where agent_version_id is not null
),

sums as (
    select
        agent_id,
        agent_version_id,
        max(case when place = 1 then agent_version end) as agent_version, -- its newest name
        count(*) as results,
        count(*) filter (where status_group = 'completed') as completed_results,
        cast(coalesce(sum(decided_runs), 0) as bigint) as decided_runs,
        cast(coalesce(sum(passed_runs), 0) as bigint) as passed_runs,
        min(created_at) as first_result_at,
        max(created_at) as last_result_at,
        coalesce(sum(decided_runs), 0) > 0 as comparable
    from results
    group by agent_id, agent_version_id
),

paired as (
    select
        *,
        lag(agent_version) over earlier as version_before,
        lag(decided_runs) over earlier as previous_decided_runs,
        lag(passed_runs) over earlier as previous_passed_runs
    from sums
    window earlier as (partition by agent_id, comparable order by first_result_at, agent_version_id)
),

compared as (
    select
        *,
        rate(passed_runs, decided_runs) - rate(previous_passed_runs, previous_decided_runs) as difference,
        newcombe_low(passed_runs, decided_runs, previous_passed_runs, previous_decided_runs) as difference_low,
        newcombe_high(passed_runs, decided_runs, previous_passed_runs, previous_decided_runs) as difference_high
    from paired
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    compared.agent_version, -- newest name of the version
    compared.agent_version_id, -- what tells versions apart: Cekura's id of the version, or the name where there is only that
    compared.results, -- live results of it, whatever their status
    compared.completed_results, -- results with status completed
    compared.decided_runs, -- runs of completed results
    compared.passed_runs, -- decided runs that passed
    rate(passed_runs, decided_runs) as pass_rate, -- passed_runs / decided_runs
    wilson_low(passed_runs, decided_runs) as pass_rate_low, -- lower end of the Wilson 95 % interval of pass_rate
    wilson_high(passed_runs, decided_runs) as pass_rate_high, -- upper end of the Wilson 95 % interval of pass_rate
    compared.first_result_at, -- when its first result was triggered: versions come one after another by this
    compared.last_result_at, -- when its newest result was triggered
    case when comparable then version_before end as previous_version, -- the version that it is compared with
    case when comparable then previous_decided_runs end as previous_decided_runs, -- runs of that version
    case when comparable then previous_passed_runs end as previous_passed_runs, -- how many of those passed
    rate(previous_passed_runs, previous_decided_runs) as previous_pass_rate, -- the ratio of these two
    difference, -- pass_rate - previous_pass_rate
    difference_low, -- lower end of Newcombe's 95 % interval of the difference
    difference_high, -- upper end of Newcombe's 95 % interval of the difference
    verdict(difference_low, difference_high) as verdict -- improved, same, regressed
from compared
inner join agents on agents.agent_id is not distinct from compared.agent_id
