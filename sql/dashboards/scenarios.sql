-- One row per agent and scenario of completed results: how often it passes, and whether it is flaky; the most surely bad first.
select
    agent_label(rates.agent_name, rates.agent_id) as agent, -- its newest name, with its id
    coalesce(rates.scenario_name, rates.scenario_key) as scenario, -- its newest name
    rates.decided_runs, -- runs of completed results that passed or failed
    rates.passed_runs, -- decided runs that passed
    rates.pass_rate, -- passed_runs / decided_runs
    rates.pass_rate_low, -- lower end of its 95 % interval
    rates.pass_rate_high, -- upper end of its 95 % interval
    flakiness.pass_rate as recent_pass_rate, -- the same over its newest 50 decided runs
    flakiness.verdict as flakiness, -- reliable, mostly passes, flaky, mostly fails, broken, changed, not enough runs
    rates.last_failed_at at time zone 'UTC' as last_failed_at -- when the newest result with a failed run of it was triggered, in UTC
from analytics.scenario_pass_rate as rates
left join analytics.scenario_flakiness as flakiness
    on flakiness.agent_id is not distinct from rates.agent_id
    and flakiness.scenario_key is not distinct from rates.scenario_key
where rates.decided_runs > 0
order by rates.pass_rate_high, agent, scenario
