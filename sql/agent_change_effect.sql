-- One row per noted change and agent that it concerns: the runs after the change compared with the runs before it.
-- Each period is at most 14 days long and stops at the agent's nearest other change. A change without an agent concerns every agent.
-- The verdict compares runs of the same scenarios, so a different mix of scenarios does not change it. It is corrected for the number of agents that the change concerns.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

noted as (
    select line, agent_id, changed_at, note
    from cekura.changes
),

runs as (
    select
        results.step as comparison,
        results.changed_at as family,
        results.changed_at as peers,
        results.is_after,
        results.result_id,
        results.day,
        runs.scenario_key as scenario,
        runs.passed,
        3 as least_results
    from analytics.agent_change_results as results
    inner join analytics.runs as runs on runs.result_id = results.result_id
    where runs.passed is not null
),

comparisons as (
    select *
    from compared(runs) as compared
),

sums as (
    select
        step,
        count(*) filter (where not is_after) as before_results,
        sum(case when not is_after then decided_runs end) as before_decided_runs,
        sum(case when not is_after then passed_runs end) as before_passed_runs,
        count(*) filter (where is_after) as after_results,
        sum(case when is_after then decided_runs end) as after_decided_runs,
        sum(case when is_after then passed_runs end) as after_passed_runs
    from analytics.agent_change_results
    group by step
),

steps as (
    select
        changes.*,
        coalesce(sums.before_results, 0) as before_results,
        cast(coalesce(sums.before_decided_runs, 0) as bigint) as before_decided_runs,
        cast(coalesce(sums.before_passed_runs, 0) as bigint) as before_passed_runs,
        coalesce(sums.after_results, 0) as after_results,
        cast(coalesce(sums.after_decided_runs, 0) as bigint) as after_decided_runs,
        cast(coalesce(sums.after_passed_runs, 0) as bigint) as after_passed_runs,
        rate(sums.before_passed_runs, sums.before_decided_runs) as before_pass_rate,
        rate(sums.after_passed_runs, sums.after_decided_runs) as after_pass_rate
    from analytics.agent_changes as changes
    left join sums on sums.step = changes.step
)

select
    steps.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name; NULL when the warehouse has no result of this agent
    steps.changed_at, -- when the change was made
    noted.note, -- the team's note about the change
    noted.line, -- line of the change in the team's list; unique together with agent_id
    steps.before_since, -- start of the period before the change
    steps.before_results, -- completed results with decided runs in the period before the change
    steps.before_decided_runs, -- their decided runs
    steps.before_passed_runs, -- how many of them passed
    steps.before_pass_rate, -- before_passed_runs / before_decided_runs
    steps.after_until, -- end of the period after the change
    steps.after_results, -- completed results with decided runs in the period after the change
    steps.after_decided_runs, -- their decided runs
    steps.after_passed_runs, -- how many of them passed
    steps.after_pass_rate, -- after_passed_runs / after_decided_runs
    after_pass_rate - before_pass_rate as difference, -- after_pass_rate - before_pass_rate, over all runs
    after_pass_rate - before_pass_rate - adjusted_difference as mix_effect, -- the part of difference that is due to which scenarios ran, and how often
    adjusted_difference, -- the difference within the scenarios that ran on both sides
    adjusted_low, -- lower end of its 95 % interval
    adjusted_high, -- upper end of its 95 % interval
    coalesce(shared_scenarios, 0) as shared_scenarios, -- scenarios that ran on both sides
    rate(coalesce(covered_runs, 0), before_decided_runs + after_decided_runs) as covered_share, -- the share of these runs that belong to shared scenarios
    p_value, -- how often chance alone gives an adjusted_difference at least this far from 0
    smallest_visible_difference, -- the smallest true difference that a comparison like this one detects in 80 % of cases
    verdict, -- improved, same or regressed, corrected for the number of agents that the change concerns; NULL if there is none, see no_verdict_because
    coalesce(possible, false) as possible, -- whether the interval excludes 0 although the verdict is same
    case when verdict is null then coalesce(no_verdict_because, 'no decided runs on one side') end as no_verdict_because -- why there is no verdict
from steps
inner join noted
    on noted.changed_at = steps.changed_at
    and (noted.agent_id is null or noted.agent_id = steps.agent_id)
left join agents on agents.agent_id is not distinct from steps.agent_id
left join comparisons on comparisons.comparison = steps.step
