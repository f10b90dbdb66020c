-- Does every adjusted difference lie within its interval, both within -1 and 1, and does its verdict agree with the interval?
with differences as (
    select 'result_trend' as view_name, agent_id, adjusted_difference, adjusted_low, adjusted_high, p_value, verdict, possible
    from analytics.result_trend
    union all
    select 'agent_last_week', agent_id, adjusted_difference, adjusted_low, adjusted_high, p_value, verdict, possible
    from analytics.agent_last_week
    union all
    select 'agent_version_pass_rate', agent_id, adjusted_difference, adjusted_low, adjusted_high, p_value, verdict, possible
    from analytics.agent_version_pass_rate
    union all
    select 'agent_change_effect', agent_id, adjusted_difference, adjusted_low, adjusted_high, p_value, verdict, possible
    from analytics.agent_change_effect
    union all
    select 'metric_regressions', agent_id, adjusted_difference, adjusted_low, adjusted_high, p_value, verdict, possible
    from analytics.metric_regressions
)

-- Rounding may leave an end a hair beyond.
select view_name, agent_id, adjusted_difference, adjusted_low, adjusted_high
from differences
where not (
    adjusted_difference between adjusted_low - 1e-9 and adjusted_high + 1e-9
    and adjusted_low >= -1 - 1e-9
    and adjusted_high <= 1 + 1e-9
    and p_value between 0 and 1
    and (verdict = 'regressed' or (possible and adjusted_difference < 0)) = (adjusted_high < 0)
    and (verdict = 'improved' or (possible and adjusted_difference > 0)) = (adjusted_low > 0)
)
