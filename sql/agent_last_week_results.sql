-- One row per result with decided runs in the 7 UTC days that end with the newest result of the warehouse, or in the 28 days before.
-- agent_last_week, agent_last_week_scenarios and new_failures compare these results.
-- The week ends with the newest result of any agent, not with today: so an old warehouse has a last week too.
with moments as (
    select created_at, created_on
    from analytics.live_results
),

newest as (
    select last_day
    from newest_day(moments) as newest
)

select
    results.result_id, -- Cekura's id of the result
    results.result_name, -- its name
    results.agent_id, -- the agent under test
    results.channel, -- voice or text
    results.created_at, -- when it was triggered
    results.created_on as day, -- UTC day on which it was triggered
    newest.last_day, -- last UTC day of the last week; the same for all agents
    results.created_on > newest.last_day - 7 as of_last_week, -- true for the last week, false for the 28 days before
    results.decided_runs, -- its decided runs
    results.passed_runs -- how many of them passed
from analytics.results as results
inner join newest on results.created_on between newest.last_day - 34 and newest.last_day
where results.decided_runs > 0
