-- Does every view have only one row for each thing that it describes?
with keys as (
    select 'agent_segments' as view_name, agent_id, channel as first_part, direction as second_part, trigger as third_part
    from analytics.agent_segments
    union all
    select 'agent_last_week', agent_id, null, null, null
    from analytics.agent_last_week
    union all
    select 'agent_daily', agent_id, cast(day as varchar), null, null
    from analytics.agent_daily
    union all
    select 'agent_weekly', agent_id, cast(week as varchar), null, null
    from analytics.agent_weekly
    union all
    select 'scenario_pass_rate', agent_id, scenario_key, null, null
    from analytics.scenario_pass_rate
    union all
    select 'scenario_flakiness', agent_id, scenario_key, null, null
    from analytics.scenario_flakiness
    union all
    select 'agent_version_pass_rate', agent_id, agent_version_id, null, null
    from analytics.agent_version_pass_rate
    union all
    select 'agent_change_effect', agent_id, cast(line as varchar), null, null
    from analytics.agent_change_effect
    union all
    select 'agent_change_effect_scenarios', agent_id, cast(changed_at as varchar), scenario_key, null
    from analytics.agent_change_effect_scenarios
    union all
    select 'agent_last_week_scenarios', agent_id, scenario_key, null, null
    from analytics.agent_last_week_scenarios
    union all
    select 'new_failures', agent_id, scenario_key, basis, null
    from analytics.new_failures
    union all
    select 'agent_change_point', agent_id, null, null, null
    from analytics.agent_change_point
    union all
    select 'infrastructure_failures_daily', agent_id, cast(day as varchar), null, null
    from analytics.infrastructure_failures_daily
    union all
    select 'stuck_results', agent_id, cast(result_id as varchar), null, null
    from analytics.stuck_results
    union all
    select 'metric_percentiles', agent_id, metric_key, cast(week as varchar), agent_version_id
    from analytics.metric_percentiles
    union all
    select 'data_quality', null, finding, null, null
    from analytics.data_quality
)

select view_name, agent_id, first_part, second_part, third_part, count(*) as rows
from keys
group by view_name, agent_id, first_part, second_part, third_part
having count(*) > 1
union all
-- It has as many rows as there are results. Grouped by numbers alone, they take less than half of the memory.
select 'result_trend', null, cast(result_id as varchar), null, null, count(*)
from analytics.result_trend
group by result_id
having count(*) > 1
