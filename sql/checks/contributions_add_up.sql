-- Do the contributions of an agent's scenarios add up to its adjusted difference?
with contributions as (
    select 'agent_last_week_scenarios' as view_name, agent_id, cast(null as timestamp with time zone) as changed_at, contribution
    from analytics.agent_last_week_scenarios
    union all
    select 'agent_change_effect_scenarios', agent_id, changed_at, contribution
    from analytics.agent_change_effect_scenarios
),

sums as (
    select view_name, agent_id, changed_at, sum(contribution) as contribution
    from contributions
    group by view_name, agent_id, changed_at
),

differences as (
    select
        'agent_last_week_scenarios' as view_name,
        agent_id,
        cast(null as timestamp with time zone) as changed_at,
        adjusted_difference
    from analytics.agent_last_week
    union all
    select 'agent_change_effect_scenarios', agent_id, changed_at, adjusted_difference
    from analytics.agent_change_effect
)

select differences.view_name, differences.agent_id, differences.changed_at, differences.adjusted_difference, sums.contribution
from differences
left join sums
    on sums.view_name = differences.view_name
    and sums.agent_id is not distinct from differences.agent_id
    and sums.changed_at is not distinct from differences.changed_at
where abs(differences.adjusted_difference - coalesce(sums.contribution, 9)) > 1e-9
