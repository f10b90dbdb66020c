-- One row per agent and metric that its completed results measured, with the metric's newest name and type.
-- Empty without `sync --details`.
with measured as (
    select agent_id, metric_key, metric_id, metric_name, metric_type, run_id, score, passed, created_at
    from analytics.run_metrics
    where result_status_group = 'completed'
),

-- The newest run has the greatest id. A run can belong to two results for a while; then the greater name decides.
ranked as (
    select
        agent_id,
        metric_key,
        metric_id,
        metric_name,
        metric_type,
        row_number() over (
            partition by agent_id, metric_key
            order by case when metric_name is null then 1 else 0 end, run_id desc, metric_name desc, metric_type desc
        ) as place
    from measured
),

counts as (
    select
        agent_id,
        metric_key,
        count(*) as runs,
        count(score) as scored_runs,
        count(passed) as decided_runs,
        min(created_at) as first_result_at,
        max(created_at) as last_result_at
    from measured
    group by agent_id, metric_key
)

select
    counts.agent_id, -- the agent under test
    counts.metric_key, -- identifies the metric: its id, or 'name ' and its name if it has no id
    ranked.metric_id, -- Cekura's id of the metric
    ranked.metric_name, -- its name in its newest run
    ranked.metric_type, -- its type in its newest run
    counts.runs, -- runs of completed results in which it was measured
    counts.scored_runs, -- those that have a score
    counts.decided_runs, -- those that passed it or failed it
    counts.first_result_at, -- when the first result with it was triggered
    counts.last_result_at -- when the newest result with it was triggered
from counts
inner join ranked
    on ranked.agent_id is not distinct from counts.agent_id
    and ranked.metric_key = counts.metric_key
    and ranked.place = 1
