-- One row per result that the gate is to judge and that is still in flight.
select comparison, agent_id, result_id, status, created_at
from chosen
where status_group = 'in_flight'
order by created_at, result_id
