-- One row: the UTC day of the newest row, not later than today. NULL if there is none.
-- Takes a relation: created_at, created_on (the UTC day of created_at).
-- Days cost much more to compute than moments to compare, so only rows later than now are asked for their day.
with example as (
    select current_timestamp as created_at, cast(current_timestamp at time zone 'UTC' as date) as created_on
)

select cast(max(created_at) at time zone 'UTC' as date) as last_day
from example
where created_at <= current_timestamp or created_on <= cast(current_timestamp at time zone 'UTC' as date)
