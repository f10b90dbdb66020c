-- One row per agent, metric, version of the agent and week with scores of completed results: their 50th, 95th and 99th percentile.
-- Covers metrics that give a score other than passed or failed, such as a latency; percentiles are interpolated. A week begins on Monday, in UTC.
-- Empty without `sync --details`.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

metrics as (
    select agent_id, metric_key, metric_id, metric_name, metric_type
    from analytics.metrics
    where metric_type is distinct from 'binary'
),

version_results as (
    select
        result_id,
        agent_id,
        agent_version,
        agent_version_id,
        row_number() over (
            partition by agent_id, agent_version_id
            order by case when created_at is null then 1 else 0 end, created_at desc, result_id desc
        ) as place
    from analytics.live_results
),

versions as (
    select agent_id, agent_version_id, agent_version
    from version_results
    where place = 1
),

measured as (
    select
        run_metrics.agent_id,
        run_metrics.metric_key,
        version_results.agent_version_id,
        cast(date_trunc('week', run_metrics.created_on) as date) as week,
        run_metrics.run_id,
        run_metrics.score
    from analytics.run_metrics as run_metrics
    inner join version_results on version_results.result_id = run_metrics.result_id
    where run_metrics.result_status_group = 'completed'
        and run_metrics.created_on is not null
        and run_metrics.score is not null
),

placed as (
    select
        *,
        row_number() over (
            partition by agent_id, metric_key, agent_version_id, week order by score, run_id
        ) - 1 as place,
        count(*) over (partition by agent_id, metric_key, agent_version_id, week) - 1 as last_place
    from measured
),

weeks as (
    select
        agent_id,
        metric_key,
        agent_version_id,
        week,
        count(*) as scored_runs,
        sum(score * percentile_weight(place, last_place, 0.5)) as p50,
        sum(score * percentile_weight(place, last_place, 0.95)) as p95,
        sum(score * percentile_weight(place, last_place, 0.99)) as p99
    from placed
    group by agent_id, metric_key, agent_version_id, week
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    metrics.metric_id, -- Cekura's id of the metric
    metrics.metric_key, -- identifies the metric: its id, or 'name ' and its name if it has no id
    metrics.metric_name, -- its newest name
    metrics.metric_type, -- its newest type: continuous_qualitative or numeric
    versions.agent_version, -- newest name of the agent's version; NULL where the API sends none
    weeks.agent_version_id, -- identifies the version: Cekura's id, or the name if there is no id
    weeks.week, -- Monday of the week in which the results were triggered
    weeks.scored_runs, -- runs with a score
    weeks.p50, -- median of the scores, in the metric's own scale
    weeks.p95, -- 95th percentile: 19 of 20 scores are not higher
    weeks.p99 -- 99th percentile: 99 of 100 scores are not higher
from weeks
inner join agents on agents.agent_id is not distinct from weeks.agent_id
inner join metrics
    on metrics.agent_id is not distinct from weeks.agent_id
    and metrics.metric_key = weeks.metric_key
inner join versions
    on versions.agent_id is not distinct from weeks.agent_id
    and versions.agent_version_id is not distinct from weeks.agent_version_id
