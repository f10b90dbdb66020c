-- One row per live result, under our names for its fields, without the number of passed runs. Deleted results are left out; aged-out results stay.
-- Views that do not need the number of passed runs use it instead of analytics.results, because it does not read the runs.
select
    id as result_id, -- Cekura's id of the result
    name as result_name, -- name of the result
    agent as agent_id, -- Cekura's id of the agent under test
    not_blank(agent_name) as agent_name, -- name of the agent in this result
    not_blank(agent_version) as agent_version, -- name of the agent's version; NULL where the API sends none
    coalesce(not_blank(agent_version_id), not_blank(agent_version)) as agent_version_id, -- identifies the version: Cekura's id, or the name if there is no id
    project_id, -- the project; NULL unless the API or a filter of a sync names it
    case when run_as_text then 'text' when not run_as_text then 'voice' end as channel, -- voice or text
    case when agent_inbound then 'inbound' when not agent_inbound then 'outbound' end as direction, -- inbound or outbound
    case when is_cronjob then 'scheduled' when not is_cronjob then 'manual' end as trigger, -- scheduled or manual
    status, -- status as the API sends it
    case
        when status = 'completed' then 'completed'
        when status in ('failed', 'timeout') then 'infrastructure_failure'
        when status = 'cancelled' then 'cancelled'
        else 'in_flight' -- so does an unknown or missing status
    end as status_group, -- in_flight, completed, infrastructure_failure or cancelled
    success_rate as reported_rate, -- the success rate as the API sent it, a fraction or a percentage
    case when total_runs_count >= 0 then total_runs_count end as runs, -- number of runs of the result
    coalesce(_runs_known, false) as runs_known, -- whether the API listed the runs of this result when the result was last read
    completed_runs_count as completed_runs, -- runs that ended, as counted by the API
    success_runs_count as counted_passes, -- runs that passed, as counted by the API; older servers count all runs that ended
    failed_runs_count as counted_failures, -- runs that failed their evaluation, as counted by the API
    case
        when met_expected_outcome_count between 0 and total_expected_outcome_count then total_expected_outcome_count
    end as expected_outcomes, -- runs with an expected outcome; NULL when the API's counts contradict each other
    case
        when met_expected_outcome_count between 0 and total_expected_outcome_count then met_expected_outcome_count
    end as met_expected_outcomes, -- runs that met their expected outcome in full
    created_at, -- when the result was triggered
    cast(created_at at time zone 'UTC' as date) as created_on, -- UTC day of created_at
    updated_at, -- when it last changed, according to the API
    synced_at, -- when its content last changed in this warehouse
    aged_out_at, -- when the API stopped listing it because of its age; NULL while the API lists it
    _in_flight_since, -- since when a result in flight has been: created_at, or when a sync saw that it ran again; NULL when it has ended
    _runs_listed, -- how many of its runs a sync has counted; NULL where none has, as are the next three
    _runs_with_outcome, -- those with an outcome other than unknown
    _runs_passed, -- those that passed
    _runs_decided -- those that passed or failed
from cekura.results
where deleted_at is null
