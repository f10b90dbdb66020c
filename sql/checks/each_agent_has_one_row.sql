-- Does each agent that has a live result have exactly one row in every view of agents?
with expected as (
    select distinct agent_id
    from analytics.live_results
),

shown as (
    select 'agents' as view_name, agent_id from analytics.agents
    union all
    select 'agent_pass_rate' as view_name, agent_id from analytics.agent_pass_rate
    union all
    select 'agent_run_counts' as view_name, agent_id from analytics.agent_run_counts
    union all
    select 'agent_last_week' as view_name, agent_id from analytics.agent_last_week
),

-- Named one by one, so that a view without any row is missed.
views as (
    select 'agents' as view_name
    union all
    select 'agent_pass_rate' as view_name
    union all
    select 'agent_run_counts' as view_name
    union all
    select 'agent_last_week' as view_name
),

counts as (
    select view_name, agent_id, count(*) as shown
    from shown
    group by view_name, agent_id
)

select views.view_name, expected.agent_id, coalesce(counts.shown, 0) as shown
from expected
cross join views
left join counts
    on counts.view_name = views.view_name
    and counts.agent_id is not distinct from expected.agent_id
where coalesce(counts.shown, 0) <> 1
