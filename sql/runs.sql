-- One row per run of a live result: one scenario, executed once against an agent.
-- Only this view decides the outcome of a run; every rate is based on it.
with runs as (
    select
        id, result_id, status, success, scenario, not_blank(scenario_name) as scenario_name, duration_seconds,
        error_message
    from cekura.runs
),

-- Some lists have no verdicts at all; then a run without a verdict proves nothing. Only the few results with such a run are looked at.
-- Where a sync stored that some runs of a result passed or failed, it has verdicts.
without_verdict as (
    select result_id
    from cekura.runs
    where status = 'completed'
        and success is null
        and result_id in (select id from cekura.results where coalesce(_runs_decided, 0) = 0)
),

judged as (
    select result_id
    from cekura.runs
    where success is not null and result_id in (select result_id from without_verdict)
    group by result_id
),

results as (
    select
        results.result_id,
        results.agent_id,
        results.agent_name,
        results.agent_version,
        results.agent_version_id,
        results.channel,
        results.trigger,
        results.project_id,
        results.status_group,
        results.created_at,
        -- The result has ended, and the API did not list its runs then: they are from an earlier reading.
        not results.runs_known and results.status_group <> 'in_flight' as are_earlier,
        coalesce(results._runs_decided, 0) > 0 or judged.result_id is not null as has_verdicts
    from analytics.live_results as results
    left join judged on judged.result_id = results.result_id
),

-- What says more than the verdict of a run.
decided as (
    select
        runs.id,
        runs.result_id,
        runs.status,
        runs.success,
        runs.scenario,
        runs.scenario_name,
        runs.duration_seconds,
        runs.error_message,
        results.agent_id,
        results.agent_name,
        results.agent_version,
        results.agent_version_id,
        results.channel,
        results.trigger,
        results.project_id,
        results.status_group,
        results.created_at,
        results.has_verdicts,
        results.are_earlier,
        case
            when runs.status = 'completed' and runs.error_message is null then null -- most runs, so it is asked first
            when runs.status in ('failed', 'timeout') then 'infrastructure_failure'
            when trimmed(runs.error_message) not in ('', 'null', '[]', '{}') then 'infrastructure_failure'
            when runs.status = 'cancelled' then 'cancelled'
            when runs.status in ('pending', 'in_queue', 'scaling_up', 'running', 'in_progress', 'evaluating')
                then case when results.are_earlier then 'unknown' else 'in_flight' end
        end as overruled
    from runs
    inner join results on results.result_id = runs.result_id
)

select
    id as run_id, -- Cekura's id of the run
    result_id, -- the result that it belongs to
    agent_id, -- the agent under test
    agent_name, -- its name in the result
    agent_version, -- name of the agent's version; NULL where the API sends none
    agent_version_id, -- identifies the version: Cekura's id, or the name if there is no id
    channel, -- voice or text
    trigger, -- scheduled or manual
    project_id, -- the project; NULL unless the API or a filter of a sync names it
    scenario as scenario_id, -- the scenario that was run; NULL where the API sends only its name
    scenario_key(scenario, scenario_name) as scenario_key, -- identifies the scenario: its id, or 'name ' and its name if it has no id
    scenario_name, -- name of the scenario in this run
    status, -- status of the run as the API sends it
    case
        when overruled is not null then overruled
        when success then 'passed'
        when not success then 'failed'
        when are_earlier then 'unknown' -- how it ended was never listed
        when status <> 'completed' then 'in_flight' -- an unknown status
        when status = 'completed' and status_group in ('infrastructure_failure', 'cancelled')
            then 'infrastructure_failure'
        when status = 'completed' and status_group = 'completed' and has_verdicts
            then 'infrastructure_failure'
        else 'unknown'
    end as outcome, -- passed, failed, infrastructure_failure, cancelled, in_flight or unknown
    case when overruled is null then success end as passed, -- whether the run passed; NULL unless it passed or failed
    nullif(trimmed(error_message), '') as error_message, -- the error, when something outside the evaluation went wrong
    duration_seconds, -- its duration
    status_group as result_status_group, -- in_flight, completed, infrastructure_failure or cancelled
    created_at -- when its result was triggered
from decided
