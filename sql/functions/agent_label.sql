-- How a dashboard names an agent: by its name and its id, because two agents can have one name.
with example as (
    select cast('Anna' as varchar) as agent_name, cast(7 as bigint) as agent_id
)

select coalesce(agent_name, 'agent') || ' (' || coalesce(cast(agent_id as varchar), 'no id') || ')' as agent_label
from example
