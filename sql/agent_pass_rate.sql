-- One row per agent: how often it passes. Each rate is a ratio of sums, 0 to 1, and NULL where there is nothing to divide by.
-- pass_rate leaves out in-flight, cancelled and infrastructure failed results, and the lost runs of completed results.
-- Over all results in the warehouse; for recent weeks use agent_weekly or agent_last_week.
with agents as (
    select agent_id, agent_name, first_result_at, last_result_at
    from analytics.agents
),

results as (
    select
        agent_id, status_group, runs, decided_runs, passed_runs, lost_runs, expected_outcomes, met_expected_outcomes
    from analytics.results
),

sums as (
    select
        agent_id,
        count(*) filter (where status_group = 'completed') as completed_results,
        count(*) filter (where status_group = 'infrastructure_failure') as failed_results,
        cast(coalesce(sum(decided_runs), 0) as bigint) as decided_runs,
        cast(coalesce(sum(passed_runs), 0) as bigint) as passed_runs,
        cast(coalesce(sum(lost_runs), 0) as bigint) as lost_runs,
        sum(case when status_group = 'completed' then runs end) as completed_runs,
        coalesce(sum(case when status_group = 'infrastructure_failure' then runs end), 0) as failed_runs,
        sum(case when status_group = 'completed' then expected_outcomes end) as expected_outcomes,
        sum(case when status_group = 'completed' then met_expected_outcomes end) as met_expected_outcomes
    from results
    group by agent_id
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    sums.completed_results, -- results with status completed
    sums.decided_runs, -- runs of completed results that passed or failed
    sums.passed_runs, -- decided runs that passed
    rate(passed_runs, decided_runs) as pass_rate, -- passed_runs / decided_runs
    wilson_low(passed_runs, decided_runs) as pass_rate_low, -- lower end of the Wilson 95 % interval of pass_rate
    wilson_high(passed_runs, decided_runs) as pass_rate_high, -- upper end of the Wilson 95 % interval of pass_rate
    runs_needed(passed_runs, decided_runs, 0.05) as runs_needed, -- how many runs make this interval 0.1 wide (5 points to either side) at the same pass rate
    rate(passed_runs, decided_runs + lost_runs + failed_runs) as strict_pass_rate, -- passed_runs / (decided_runs + lost_runs + runs of infrastructure failures)
    rate(met_expected_outcomes, expected_outcomes) as expected_outcome_rate, -- expected outcomes met in full / all expected outcomes, of completed results
    rate(failed_results, completed_results + failed_results) as infrastructure_failure_rate, -- results with status failed or timeout / these and the completed results
    sums.lost_runs, -- runs of completed results that neither passed nor failed; runs of failed and timed-out results are not included
    rate(lost_runs, completed_runs) as run_loss_rate, -- lost_runs / all runs of completed results
    agents.first_result_at, -- when its first result was triggered
    agents.last_result_at -- when its newest result was triggered
from sums
inner join agents on agents.agent_id is not distinct from sums.agent_id
