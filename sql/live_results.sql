-- One row per live result in our words, before its passes are counted; deleted results are left out, aged out ones stay.
-- Apart from analytics.results because views that need no passes are then spared the runs.
select
    id as result_id, -- Cekura's id of the result
    name as result_name, -- name of the result
    agent as agent_id, -- Cekura's id of the agent under test
    not_blank(agent_name) as agent_name, -- name of the agent as this result carries it
    not_blank(agent_version) as agent_version, -- name of the agent's version; NULL where the API sends none
    coalesce(not_blank(agent_version_id), not_blank(agent_version)) as agent_version_id, -- identifies the version: Cekura's id, or the name if there is no id
    project_id, -- the project, where the API or the scope of a sync says it
    case when run_as_text then 'text' when not run_as_text then 'voice' end as channel, -- voice or text
    case when agent_inbound then 'inbound' when not agent_inbound then 'outbound' end as direction, -- inbound or outbound
    case when is_cronjob then 'scheduled' when not is_cronjob then 'manual' end as trigger, -- scheduled or manual
    status, -- status in the API's own word
    case
        when status = 'completed' then 'completed'
        when status in ('failed', 'timeout') then 'infrastructure_failure'
        when status = 'cancelled' then 'cancelled'
        else 'in_flight' -- an unknown status and none count as in flight too
    end as status_group, -- in_flight, completed, infrastructure_failure or cancelled
    success_rate as reported_rate, -- the success rate as the API sent it, a fraction or a percentage
    case when total_runs_count >= 0 then total_runs_count end as runs, -- runs that the result consists of
    coalesce(_runs_known, false) as runs_known, -- whether the API listed the result's runs when it was read last
    completed_runs_count as completed_runs, -- runs that came to an end, by the API's count
    success_runs_count as counted_passes, -- runs that passed, by the API's count; older servers count all runs that ended
    failed_runs_count as counted_failures, -- runs that failed their evaluation, by the API's count
    case
        when met_expected_outcome_count between 0 and total_expected_outcome_count then total_expected_outcome_count
    end as expected_outcomes, -- runs with an expected outcome; NULL when fewer than those that met it
    case
        when met_expected_outcome_count between 0 and total_expected_outcome_count then met_expected_outcome_count
    end as met_expected_outcomes, -- runs that met their expected outcome in full
    created_at, -- when the result was triggered
    cast(created_at at time zone 'UTC' as date) as created_on, -- UTC day of created_at
    updated_at, -- when it last changed, by the API's word
    synced_at, -- when its content last changed in this warehouse
    aged_out_at -- since when the vendor no longer lists it because of its age; NULL while it does
from cekura.results
where deleted_at is null
