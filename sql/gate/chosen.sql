-- One row per agent that the gate is asked about and result that it is to judge: completed with decided runs, or still in flight.
-- A result that was in flight before waits_since may never end, so it is only chosen by its id.
with open_results as (
    select result_id, coalesce(_in_flight_since, created_at) as in_flight_since
    from analytics.live_results
    where status_group = 'in_flight'
),

candidates as (
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
    left join open_results on open_results.result_id = results.result_id
    where (results.status_group = 'completed' and results.decided_runs > 0)
        or (results.status_group = 'in_flight' and (asked.by_result or open_results.in_flight_since >= asked.waits_since))
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
