-- One row per run of a live result whose details were read: what the list of results does not say about the run.
-- These are the details that were read last. If the result has changed since, the next `sync --details` reads them again. Empty without `sync --details`.
with details as (
    select
        run_id,
        result_id,
        status,
        success,
        scenario,
        not_blank(scenario_name) as scenario_name,
        not_blank(personality_name) as personality_name,
        error_message,
        duration_seconds,
        executed_at
    from cekura.run_details
),

runs as (
    select run_id, result_id, outcome
    from analytics.runs
    where result_id in (select result_id from cekura.run_details)
        and result_id in (select result_id from analytics.live_results where runs_known)
),

results as (
    select result_id, agent_id, channel, status_group, created_at, created_on
    from analytics.live_results
),

-- A run that the details of several results describe belongs to the one that has it in the list, or else to the newest of them.
owners as (
    select details.run_id, coalesce(max(listed.result_id), max(details.result_id)) as result_id
    from cekura.run_details as details
    inner join results on results.result_id = details.result_id
    left join cekura.runs as listed on listed.result_id = details.result_id and listed.id = details.run_id
    where details.run_id in (select run_id from cekura.run_details group by run_id having count(*) > 1)
    group by details.run_id
),

-- The list of results takes precedence over the run's details, but only where it showed the runs when the result was last read.
-- Then a run that it does not have is no longer one of this result.
told as (
    select
        details.run_id,
        details.result_id,
        details.status,
        details.scenario,
        details.scenario_name,
        details.personality_name,
        details.error_message,
        details.duration_seconds,
        details.executed_at,
        case
            when runs.outcome <> 'unknown' then runs.outcome
            when details.status in ('failed', 'timeout') then 'infrastructure_failure'
            when trimmed(details.error_message) not in ('', 'null', '[]', '{}') then 'infrastructure_failure'
            when details.status = 'cancelled' then 'cancelled'
            when details.success then 'passed'
            when not details.success then 'failed'
            else 'unknown'
        end as outcome
    from details
    left join runs on runs.result_id = details.result_id and runs.run_id = details.run_id
    left join owners on owners.run_id = details.run_id
    where details.result_id = coalesce(owners.result_id, details.result_id)
        and (
            runs.run_id is not null
            or details.result_id not in (select result_id from analytics.live_results where runs_known)
        )
)

select
    details.run_id, -- Cekura's id of the run
    details.result_id, -- the result that it belongs to
    results.agent_id, -- the agent under test
    results.channel, -- voice or text
    details.scenario as scenario_id, -- the scenario that was run
    details.scenario_name, -- name of the scenario in this run
    details.personality_name, -- the personality that the caller played; NULL when it had none
    details.status, -- status of the run as the API sends it
    details.outcome, -- passed, failed, infrastructure_failure, cancelled, in_flight or unknown; from the list of results if it says so, otherwise from the details
    case when details.outcome = 'passed' then true when details.outcome = 'failed' then false end as passed, -- whether the run passed; NULL unless it passed or failed
    nullif(details.error_message, '') as error_message, -- the error, when something outside the evaluation went wrong
    details.duration_seconds, -- its duration
    details.executed_at, -- when it began
    results.status_group as result_status_group, -- in_flight, completed, infrastructure_failure or cancelled
    results.created_at, -- when its result was triggered
    results.created_on -- UTC day of created_at
from told as details
inner join results on results.result_id = details.result_id
