-- Does every difference of two rates lie within its interval, and both within -1 and 1?
with differences as (
    select 'result_trend' as view_name, agent_id, difference, difference_low, difference_high
    from analytics.result_trend
    union all
    select 'agent_regressions', agent_id, difference, difference_low, difference_high
    from analytics.agent_regressions
    union all
    select 'agent_last_week', agent_id, difference, difference_low, difference_high
    from analytics.agent_last_week
    union all
    select 'agent_version_pass_rate', agent_id, difference, difference_low, difference_high
    from analytics.agent_version_pass_rate
    union all
    select 'agent_change_effect', agent_id, difference, difference_low, difference_high
    from analytics.agent_change_effect
)

-- Rounding may leave an end a hair beyond.
select view_name, agent_id, difference, difference_low, difference_high
from differences
where not (
    difference between difference_low - 1e-9 and difference_high + 1e-9
    and difference_low >= -1 - 1e-9
    and difference_high <= 1 + 1e-9
)
