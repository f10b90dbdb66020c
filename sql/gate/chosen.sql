-- One row per agent that the gate is asked about and result that it is to judge: completed with decided runs, or still in flight.
-- A result that was in flight before waits_since may never end, so it is only chosen by its id.
with candidates as (
    select
        asked.comparison,
        asked.by_result,
        asked.judged_since,
        asked.newest,
        asked.version,
        results.agent_id,
        results.result_id,
        results.agent_version,
        results.agent_version_id,
        results.status,
        results.status_group,
        results.created_at,
        row_number() over (
            partition by asked.comparison order by results.created_at desc, results.result_id desc
        ) as place
    from analytics.results as results
    inner join asked on asked.agent_id = results.agent_id
    where (results.status_group = 'completed' and results.decided_runs > 0)
        or (results.status_group = 'in_flight' and (asked.by_result or results.created_at >= asked.waits_since))
)

select
    candidates.comparison,
    candidates.agent_id,
    candidates.result_id,
    candidates.status,
    candidates.status_group,
    candidates.created_at
from candidates
left join asked_results on asked_results.result_id = candidates.result_id
where (candidates.by_result and asked_results.result_id is not null)
    or candidates.created_at >= candidates.judged_since
    or candidates.place <= candidates.newest
    or candidates.version in (candidates.agent_version, candidates.agent_version_id)
