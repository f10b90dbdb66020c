-- One row per result that the gate compares: completed results that it judges, and those of the baseline.
-- The baseline ends with the first result that is judged. Runs of one day belong together; if results are chosen by id, runs of one result do.
with starts as (
    select comparison, min(created_at) as first_at
    from chosen
    group by comparison
)

select
    asked.comparison,
    results.agent_id,
    results.result_id,
    chosen.result_id is not null as is_after,
    case
        when asked.by_result then cast(results.result_id as varchar)
        else cast(results.created_on as varchar)
    end as day,
    asked.metric,
    case when asked.by_result then 1 else 3 end as least_results,
    results.decided_runs,
    results.passed_runs
from analytics.results as results
inner join asked on asked.agent_id = results.agent_id
inner join starts on starts.comparison = asked.comparison
left join chosen on chosen.comparison = asked.comparison and chosen.result_id = results.result_id
where results.status_group = 'completed'
    and results.decided_runs > 0
    and (
        chosen.result_id is not null
        or (
            results.created_at < starts.first_at
            and results.created_at + asked.baseline_seconds * interval '1 second' >= starts.first_at
        )
    )
