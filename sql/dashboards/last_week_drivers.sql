-- One row per agent and scenario that took part in the comparison of the last week: what drove the difference, the worst first.
with sudden as (
    select agent_id, scenario_key, max(verdict) as verdict
    from analytics.new_failures
    group by agent_id, scenario_key
)

select
    agent_label(drivers.agent_name, drivers.agent_id) as agent, -- its newest name, with its id
    coalesce(drivers.scenario_name, drivers.scenario_key) as scenario, -- its newest name
    drivers.decided_runs, -- its decided runs of the last week
    drivers.pass_rate, -- how many of them passed
    drivers.previous_decided_runs, -- its decided runs of the 28 days before
    drivers.previous_pass_rate, -- how many of them passed
    drivers.contribution, -- its part of the agent's adjusted_difference
    sudden.verdict as sudden -- newly failing or fixed: it passed reliably before and fails now, or the reverse
from analytics.agent_last_week_scenarios as drivers
left join sudden
    on sudden.agent_id is not distinct from drivers.agent_id
    and sudden.scenario_key = drivers.scenario_key
where drivers.contribution is not null
order by drivers.contribution, agent, scenario
