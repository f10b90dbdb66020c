-- One row per metric that runs of the agents asked about passed or failed.
select distinct metrics.metric_name
from analytics.metrics as metrics
inner join asked on asked.agent_id = metrics.agent_id
where metrics.decided_runs > 0 and metrics.metric_name is not null
order by metrics.metric_name
