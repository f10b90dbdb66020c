-- One row per agent, metric and UTC day on which completed results measured it: its scores and how many runs passed it.
-- Empty without `sync --details`.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

metrics as (
    select agent_id, metric_key, metric_id, metric_name, metric_type
    from analytics.metrics
),

days as (
    select
        agent_id,
        metric_key,
        created_on as day,
        count(*) as runs,
        count(score) as scored_runs,
        avg(score) as mean_score,
        min(score) as lowest_score,
        max(score) as highest_score,
        count(passed) as decided_runs,
        count(*) filter (where passed) as passed_runs
    from analytics.run_metrics
    where result_status_group = 'completed' and created_on is not null
    group by agent_id, metric_key, created_on
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    metrics.metric_id, -- Cekura's id of the metric
    metrics.metric_name, -- its newest name
    metrics.metric_type, -- its newest type: binary, continuous_qualitative, numeric or enum
    days.day, -- UTC day on which the results were triggered
    days.runs, -- runs in which it was measured
    days.scored_runs, -- those that have a score
    days.mean_score, -- mean of their scores, in the metric's own scale
    days.lowest_score, -- the lowest of them
    days.highest_score, -- the highest of them
    days.decided_runs, -- runs that passed or failed the metric
    days.passed_runs, -- decided runs that passed it
    cast(passed_runs as double) / nullif(decided_runs, 0) as pass_rate -- passed_runs / decided_runs
from days
inner join metrics
    on metrics.agent_id is not distinct from days.agent_id
    and metrics.metric_key = days.metric_key
inner join agents on agents.agent_id is not distinct from days.agent_id
