-- One row per agent and metric that runs pass or fail: how often runs fail it, and why the last one did.
-- Covers runs of completed results whose details were read: empty without `sync --details`. Metrics that runs neither pass nor fail are in metric_scores.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

metrics as (
    select agent_id, metric_key, metric_id, metric_name
    from analytics.metrics
),

decided as (
    select
        agent_id, metric_key, run_id, result_id, scenario_id, scenario_name, passed, explanation, created_at
    from analytics.run_metrics
    where result_status_group = 'completed' and passed is not null
),

sums as (
    select
        agent_id,
        metric_key,
        count(*) as decided_runs,
        count(*) filter (where not passed) as failed_runs,
        count(distinct case when not passed then coalesce(cast(scenario_id as varchar), 'name ' || scenario_name) end) as failed_scenarios,
        max(case when not passed then created_at end) as last_failed_at
    from decided
    group by agent_id, metric_key
),

-- Failed runs with an explanation come first, then the newest result, then the greatest run id.
failures as (
    select
        *,
        row_number() over (
            partition by agent_id, metric_key
            order by
                case when explanation is null then 1 else 0 end,
                case when created_at is null then 1 else 0 end,
                created_at desc, result_id desc, run_id desc
        ) as place
    from decided
    where not passed
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    metrics.metric_id, -- Cekura's id of the metric
    metrics.metric_name, -- its newest name
    sums.decided_runs, -- runs that passed or failed the metric
    sums.failed_runs, -- decided runs that failed it
    rate(failed_runs, decided_runs) as failing_share, -- failed_runs / decided_runs
    wilson_low(failed_runs, decided_runs) as failing_share_low, -- lower end of the Wilson 95 % interval of failing_share
    wilson_high(failed_runs, decided_runs) as failing_share_high, -- upper end of the Wilson 95 % interval of failing_share
    sums.failed_scenarios, -- number of different scenarios in which it failed
    sums.last_failed_at, -- when the newest result with a failed run was triggered
    failures.explanation as last_explanation, -- explanation of the newest failed run that has one
    failures.run_id as last_explained_run_id, -- that run; if none has an explanation, the newest failed run
    failures.result_id as last_explained_result_id, -- the result of that run
    failures.scenario_id as last_explained_scenario_id, -- the scenario of that run
    failures.scenario_name as last_explained_scenario_name -- the name of that scenario
from sums
inner join metrics
    on metrics.agent_id is not distinct from sums.agent_id
    and metrics.metric_key = sums.metric_key
inner join agents on agents.agent_id is not distinct from sums.agent_id
left join failures
    on failures.agent_id is not distinct from sums.agent_id
    and failures.metric_key = sums.metric_key
    and failures.place = 1
