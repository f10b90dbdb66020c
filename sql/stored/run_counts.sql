-- One row per live result that has no stored counts of its runs: it was written since, or by an older version.
-- No more than 100,000 at a time, so that counting takes little memory.
with uncounted as (
    select id as result_id
    from cekura.results
    where deleted_at is null and _runs_listed is null
    order by id
    limit 100000
),

outcomes as (
    select result_id, outcome
    from analytics.runs
    where result_id in (select result_id from uncounted)
)

select
    uncounted.result_id,
    coalesce(counted.listed, 0) as _runs_listed, -- runs of it that are listed
    coalesce(counted.known, 0) as _runs_with_outcome, -- those with an outcome other than unknown
    coalesce(counted.passed, 0) as _runs_passed, -- those that passed
    coalesce(counted.decided, 0) as _runs_decided -- those that passed or failed
from uncounted
left join counted_outcomes(outcomes) as counted on counted.result_id = uncounted.result_id
