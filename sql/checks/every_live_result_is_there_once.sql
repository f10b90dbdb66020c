-- Does analytics.results have exactly one row for every result that is not deleted, and no other row?
with live as (
    select id as result_id, count(*) as stored
    from cekura.results
    where deleted_at is null
    group by id
),

shown as (
    select result_id, count(*) as shown
    from analytics.results
    group by result_id
)

select
    coalesce(live.result_id, shown.result_id) as result_id,
    coalesce(live.stored, 0) as stored,
    coalesce(shown.shown, 0) as shown
from live
full join shown on shown.result_id = live.result_id
where live.result_id is null
    or shown.result_id is null
    or live.stored <> 1
    or shown.shown <> 1
