-- One row per run of a live result: one scenario, executed once against an agent.
with runs as (
    select id, result_id, status, success, scenario, scenario_name, duration_seconds
    from cekura.runs
),

results as (
    select result_id, agent_id, status_group, created_at
    from analytics.live_results
)

select
    runs.id as run_id, -- Cekura's id of the run
    runs.result_id, -- the result that it belongs to
    results.agent_id, -- the agent under test
    runs.scenario as scenario_id, -- the scenario that was executed
    runs.scenario_name, -- name of the scenario as this run carries it
    runs.status, -- status of the run in the API's own word
    runs.success as passed, -- whether the run passed; NULL when the API has not said
    runs.duration_seconds, -- how long it took
    results.status_group as result_status_group, -- in_flight, completed, infrastructure_failure or cancelled
    results.created_at -- when its result was triggered
from runs
inner join results on results.result_id = runs.result_id
