-- One row per run and metric measured in it, for live results whose details were read. Runs that the infrastructure failed have no row.
-- Empty without `sync --details`.
-- This view decides whether a run passed a metric: by the API's own `passed`, or the run's rubric, or, for a binary metric, by a score above 0.
with metrics as (
    select
        run_id, result_id, metric_id, not_blank(name) as name, type, score, passed, enum_value, explanation
    from cekura.run_metrics
),

runs as (
    select run_id, result_id, agent_id, scenario_id, scenario_name, result_status_group, created_at, created_on
    from analytics.run_details
    where outcome <> 'infrastructure_failure'
)

select
    metrics.run_id, -- the run in which it was measured
    metrics.result_id, -- the result of that run
    runs.agent_id, -- the agent under test
    coalesce(cast(metrics.metric_id as varchar), 'name ' || metrics.name, 'unnamed') as metric_key, -- identifies the metric: its id, or 'name ' and its name if it has no id
    metrics.metric_id, -- Cekura's id of the metric
    metrics.name as metric_name, -- its name in this run
    case when metrics.type like 'binary%' then 'binary' else metrics.type end as metric_type, -- binary, continuous_qualitative, numeric or enum
    metrics.score, -- the score in the metric's own scale; NULL when it has none
    case
        when metrics.passed is not null then metrics.passed
        when metrics.type like 'binary%' and metrics.score > 0 then true
        when metrics.type like 'binary%' and metrics.score = 0 then false
    end as passed, -- whether the run passed the metric; NULL when that is unknown
    metrics.enum_value, -- the value of an enum metric
    nullif(metrics.explanation, '') as explanation, -- the evaluation's explanation
    runs.scenario_id, -- the scenario that was run
    runs.scenario_name, -- its name in this run
    runs.result_status_group, -- in_flight, completed, infrastructure_failure or cancelled
    runs.created_at, -- when the result was triggered
    runs.created_on -- UTC day of created_at
from metrics
inner join runs on runs.result_id = metrics.result_id and runs.run_id = metrics.run_id
