-- One row per agent that has no result in the warehouse, and per result by id that is not a live result of these agents.
select 'agent' as kind, asked.agent_id as id
from asked
left join analytics.agents as agents on agents.agent_id = asked.agent_id
where agents.agent_id is null
union all
select 'result' as kind, asked_results.result_id as id
from asked_results
left join analytics.live_results as results
    on results.result_id = asked_results.result_id
    and results.agent_id in (select agent_id from asked)
where results.result_id is null
order by kind, id
