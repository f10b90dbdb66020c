-- One row per change that the team has noted and agent that it concerns: the runs after it against the runs before it.
-- Both sides reach to the agent's neighbouring change, 14 days at most. A change without an agent concerns every agent.
-- Verdict: improved or regressed when the interval of the difference excludes 0, else same; NULL without a comparison.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

noted as (
    select line, agent_id, changed_at, note
    from cekura.changes
),

concerned as (
    select line, agent_id, changed_at, note
    from noted
    where agent_id is not null
    union all
    select noted.line, agents.agent_id, noted.changed_at, noted.note
    from noted
    cross join agents
    where noted.agent_id is null
),

-- Changes of one instant are one step.
steps as (
    select distinct agent_id, changed_at
    from concerned
),

-- 336 hours are 14 days in every time zone.
reaches as (
    select
        agent_id,
        changed_at,
        changed_at - interval '336 hours' as earliest,
        changed_at + interval '336 hours' as latest,
        lag(changed_at) over by_time as change_before,
        lead(changed_at) over by_time as change_after
    from steps
    window by_time as (partition by agent_id order by changed_at)
),

spans as (
    select
        agent_id,
        changed_at,
        case when change_before > earliest then change_before else earliest end as before_since,
        case when change_after < latest then change_after else latest end as after_until
    from reaches
),

decided as (
    select agent_id, created_at, decided_runs, passed_runs
    from analytics.results
    where decided_runs > 0
),

sums as (
    select
        spans.agent_id,
        spans.changed_at,
        spans.before_since,
        spans.after_until,
        count(case when decided.created_at < spans.changed_at then 1 end) as before_results,
        coalesce(sum(case when decided.created_at < spans.changed_at then decided_runs end), 0) as before_decided_runs,
        coalesce(sum(case when decided.created_at < spans.changed_at then passed_runs end), 0) as before_passed_runs,
        count(case when decided.created_at >= spans.changed_at then 1 end) as after_results,
        coalesce(sum(case when decided.created_at >= spans.changed_at then decided_runs end), 0) as after_decided_runs,
        coalesce(sum(case when decided.created_at >= spans.changed_at then passed_runs end), 0) as after_passed_runs
    from spans
    left join decided
        on decided.agent_id is not distinct from spans.agent_id
        and decided.created_at >= spans.before_since
        and decided.created_at < spans.after_until
    group by spans.agent_id, spans.changed_at, spans.before_since, spans.after_until
),

compared as (
    select
        *,
        rate(after_passed_runs, after_decided_runs) - rate(before_passed_runs, before_decided_runs) as difference,
        newcombe_low(after_passed_runs, after_decided_runs, before_passed_runs, before_decided_runs)
            as difference_low,
        newcombe_high(after_passed_runs, after_decided_runs, before_passed_runs, before_decided_runs)
            as difference_high
    from sums
)

select
    concerned.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name; NULL when the warehouse has no result of such an agent
    concerned.changed_at, -- when the change was made
    concerned.note, -- what the team noted about it
    concerned.line, -- its line in the file of changes; unique together with agent_id
    compared.before_since, -- the runs before reach from here up to the change
    compared.before_results, -- completed results with decided runs before the change
    cast(compared.before_decided_runs as bigint) as before_decided_runs, -- their runs
    cast(compared.before_passed_runs as bigint) as before_passed_runs, -- how many of them passed
    rate(before_passed_runs, before_decided_runs) as before_pass_rate, -- before_passed_runs / before_decided_runs
    compared.after_until, -- the runs after reach from the change up to here
    compared.after_results, -- completed results with decided runs after the change
    cast(compared.after_decided_runs as bigint) as after_decided_runs, -- their runs
    cast(compared.after_passed_runs as bigint) as after_passed_runs, -- how many of them passed
    rate(after_passed_runs, after_decided_runs) as after_pass_rate, -- after_passed_runs / after_decided_runs
    compared.difference, -- after_pass_rate - before_pass_rate
    compared.difference_low, -- lower end of Newcombe's 95 % interval of the difference
    compared.difference_high, -- upper end of Newcombe's 95 % interval of the difference
    verdict(difference_low, difference_high) as verdict -- improved, same, regressed
from concerned
inner join compared
    on compared.agent_id is not distinct from concerned.agent_id
    and compared.changed_at = concerned.changed_at
left join agents on agents.agent_id is not distinct from concerned.agent_id
