-- Identifies a scenario: its id, or 'name ' and its name if it has no id; NULL if both are missing.
with example as (
    select cast(7 as bigint) as scenario_id, cast('Refund' as varchar) as scenario_name
)

select coalesce(cast(scenario_id as varchar), 'name ' || scenario_name) as scenario_key
from example
