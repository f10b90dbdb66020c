-- What tells one scenario from another: its id, or the name of one that has none; NULL where nobody knows.
with example as (
    select cast(7 as bigint) as scenario_id, cast('Refund' as varchar) as scenario_name
)

select coalesce(cast(scenario_id as varchar), 'name ' || scenario_name) as scenario_key
from example
