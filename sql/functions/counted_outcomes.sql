-- One row per result: how many of its runs are listed, have an outcome other than unknown, passed, and passed or failed.
-- Takes a relation with one row per run: result_id, outcome.
with example as (
    select 1 as result_id, 'passed' as outcome
    union all
    select 1, 'unknown'
)

select
    result_id,
    count(*) as listed,
    count(*) filter (where outcome <> 'unknown') as known,
    count(*) filter (where outcome = 'passed') as passed,
    count(*) filter (where outcome in ('passed', 'failed')) as decided
from example
group by result_id
