-- Are the counts that are stored with each result those of its runs?
with outcomes as (
    select result_id, outcome
    from analytics.runs
)

select
    results.id as result_id,
    results._runs_listed as stored_listed,
    counted.listed,
    results._runs_with_outcome as stored_known,
    counted.known,
    results._runs_passed as stored_passed,
    counted.passed,
    results._runs_decided as stored_decided,
    counted.decided
from cekura.results as results
left join counted_outcomes(outcomes) as counted on counted.result_id = results.id
where results.deleted_at is null
    and results._runs_listed is not null
    and (
        results._runs_listed <> coalesce(counted.listed, 0)
        or results._runs_with_outcome <> coalesce(counted.known, 0)
        or results._runs_passed <> coalesce(counted.passed, 0)
        or results._runs_decided <> coalesce(counted.decided, 0)
    )
