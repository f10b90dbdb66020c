-- One row per agent that the gate is asked about and name or id of a version that its results have; the newest version last.
with named as (
    select agent_id, agent_version as name, agent_version_id as id, created_at
    from analytics.results
    where agent_version_id is not null
)

select asked.comparison, named.id, max(named.name) as name
from named
inner join asked on asked.agent_id = named.agent_id
group by asked.comparison, named.id
order by asked.comparison, max(named.created_at), named.id
