-- One row per agent and version, compared with the version before it. Only versions with decided runs are compared; results without a version are left out. Empty if the API sends no agent_version.
-- The verdict compares runs of the same scenarios, so a different mix of scenarios does not change it. It is corrected for the number of agents with a version of the same name.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

version_results as (
    select
        result_id, agent_id, agent_version, agent_version_id, status_group, decided_runs, passed_runs, created_at, created_on,
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
    from version_results
    group by agent_id, agent_version_id
),

versions as (
    select
        *,
        row_number() over (order by agent_id, first_result_at, agent_version_id) as version_number,
        lag(agent_version) over earlier as version_before,
        lag(agent_version_id) over earlier as version_id_before,
        case when comparable then lag(decided_runs) over earlier end as previous_decided_runs,
        case when comparable then lag(passed_runs) over earlier end as previous_passed_runs
    from sums
    window earlier as (partition by agent_id, comparable order by first_result_at, agent_version_id)
),

-- The ids of versions differ between agents, so agents that change to the same version are found by its name.
sides as (
    select agent_id, agent_version_id, version_number, coalesce(agent_version, agent_version_id) as family, true as is_after
    from versions
    where comparable and version_id_before is not null
    union all
    select agent_id, version_id_before, version_number, coalesce(agent_version, agent_version_id), false
    from versions
    where comparable and version_id_before is not null
),

runs as (
    select
        sides.version_number as comparison,
        sides.family,
        sides.family as peers,
        sides.is_after,
        version_results.result_id,
        version_results.created_on as day,
        runs.scenario_key as scenario,
        runs.passed,
        3 as least_results
    from version_results
    inner join sides
        on sides.agent_version_id = version_results.agent_version_id
        and sides.agent_id is not distinct from version_results.agent_id
    inner join analytics.runs as runs on runs.result_id = version_results.result_id
    where version_results.decided_runs > 0 and runs.passed is not null
),

comparisons as (
    select *
    from compared(runs) as compared
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    versions.agent_version, -- newest name of the version
    versions.agent_version_id, -- identifies the version: Cekura's id, or the name if there is no id
    versions.results, -- its live results of any status
    versions.completed_results, -- results with status completed
    versions.decided_runs, -- decided runs of completed results
    versions.passed_runs, -- how many of them passed
    rate(passed_runs, decided_runs) as pass_rate, -- passed_runs / decided_runs
    wilson_low(passed_runs, decided_runs) as pass_rate_low, -- lower end of the Wilson 95 % interval of pass_rate
    wilson_high(passed_runs, decided_runs) as pass_rate_high, -- upper end of the Wilson 95 % interval of pass_rate
    versions.first_result_at, -- when its first result was triggered; versions are ordered by this time
    versions.last_result_at, -- when its newest result was triggered
    case when comparable then version_before end as previous_version, -- the version that it is compared with
    versions.previous_decided_runs, -- decided runs of the previous version
    versions.previous_passed_runs, -- how many of them passed
    rate(previous_passed_runs, previous_decided_runs) as previous_pass_rate, -- previous_passed_runs / previous_decided_runs
    rate(passed_runs, decided_runs) - rate(previous_passed_runs, previous_decided_runs) as difference, -- pass_rate - previous_pass_rate, over all runs
    rate(passed_runs, decided_runs) - rate(previous_passed_runs, previous_decided_runs) - adjusted_difference as mix_effect, -- the part of difference that is due to which scenarios ran, and how often
    adjusted_difference, -- the difference within the scenarios that ran on both sides
    adjusted_low, -- lower end of its 95 % interval
    adjusted_high, -- upper end of its 95 % interval
    coalesce(shared_scenarios, 0) as shared_scenarios, -- scenarios that ran on both sides
    rate(coalesce(covered_runs, 0), decided_runs + previous_decided_runs) as covered_share, -- the share of these runs that belong to shared scenarios
    p_value, -- how often chance alone gives an adjusted_difference at least this far from 0
    smallest_visible_difference, -- the smallest true difference that a comparison like this one detects in 80 % of cases
    verdict, -- improved, same or regressed, corrected for the number of agents with a version of this name; NULL if there is none, see no_verdict_because
    coalesce(possible, false) as possible, -- whether the interval excludes 0 although the verdict is same
    case when verdict is null then coalesce(no_verdict_because, 'no decided runs on one side') end as no_verdict_because -- why there is no verdict
from versions
inner join agents on agents.agent_id is not distinct from versions.agent_id
left join comparisons on comparisons.comparison = versions.version_number
