-- The ten metrics that fail most surely: the lower end of the interval decides. Empty where run details were never read.
select
    agent_id,
    agent_name,
    metric_id,
    metric_name,
    decided_runs,
    failed_runs,
    failing_share,
    failing_share_low,
    failing_share_high,
    last_explanation,
    last_explained_scenario_id as scenario_id,
    last_explained_scenario_name as scenario_name,
    last_failed_at
from analytics.failing_metrics
where failed_runs > 0
order by failing_share_low desc, agent_id, metric_id
limit 10
