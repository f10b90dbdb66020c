-- One row per agent and noted change: the marks on the curves, the newest first.
select
    steps.agent_id,
    steps.changed_at,
    cast(steps.changed_at at time zone 'UTC' as date) as changed_on,
    noted.note
from analytics.agent_changes as steps
inner join cekura.changes as noted
    on noted.changed_at = steps.changed_at
    and (noted.agent_id is null or noted.agent_id = steps.agent_id)
order by steps.changed_at desc, steps.agent_id, noted.line desc
