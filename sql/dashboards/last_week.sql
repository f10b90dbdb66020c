-- One row per agent: the 7 days that end with the newest result of the warehouse against the 28 days before, the largest fall first.
select
    agent_label(agent_name, agent_id) as agent, -- its newest name, with its id
    last_day, -- the UTC day that ends the last week
    decided_runs, -- decided runs of the last week
    pass_rate, -- how many of them passed
    previous_decided_runs, -- decided runs of the 28 days before
    previous_pass_rate, -- how many of them passed
    difference, -- pass_rate - previous_pass_rate, whatever ran
    adjusted_difference, -- the difference within the scenarios that ran on both sides
    adjusted_low, -- lower end of its 95 % interval
    adjusted_high, -- upper end of its 95 % interval
    verdict, -- improved, same, regressed; NULL without a comparison
    no_verdict_because -- why there is no verdict
from analytics.agent_last_week
order by coalesce(adjusted_difference, difference), agent
