-- Is every rate, and every end of its interval, between 0 and 1 or NULL?
select 'results' as view_name, agent_id, success_rate as rate
from analytics.results
where not success_rate between 0 and 1
union all
select 'agent_pass_rate', agent_id, pass_rate
from analytics.agent_pass_rate
where not (
    pass_rate between 0 and 1
    and pass_rate_low between 0 and 1
    and pass_rate_high between 0 and 1
    and strict_pass_rate between 0 and 1
    and expected_outcome_rate between 0 and 1
    and infrastructure_failure_rate between 0 and 1
)
union all
select 'agent_daily', agent_id, pass_rate
from analytics.agent_daily
where not (
    pass_rate between 0 and 1
    and pass_rate_low between 0 and 1
    and pass_rate_high between 0 and 1
    and pass_rate_moving between 0 and 1
)
union all
select 'agent_weekly', agent_id, pass_rate
from analytics.agent_weekly
where not (
    pass_rate between 0 and 1
    and pass_rate_low between 0 and 1
    and pass_rate_high between 0 and 1
    and pass_rate_moving between 0 and 1
)
union all
select 'agent_segments', agent_id, pass_rate
from analytics.agent_segments
where not (
    pass_rate between 0 and 1
    and pass_rate_low between 0 and 1
    and pass_rate_high between 0 and 1
    and infrastructure_failure_rate between 0 and 1
)
union all
select 'scenario_pass_rate', agent_id, pass_rate
from analytics.scenario_pass_rate
where not (pass_rate between 0 and 1 and pass_rate_low between 0 and 1 and pass_rate_high between 0 and 1)
union all
select 'result_trend', agent_id, pass_rate
from analytics.result_trend
where not (pass_rate between 0 and 1 and previous_pass_rate between 0 and 1)
union all
select 'infrastructure_failures_daily', agent_id, share
from analytics.infrastructure_failures_daily
where not share between 0 and 1
union all
select 'scenario_flakiness', agent_id, flip_rate
from analytics.scenario_flakiness
where not flip_rate between 0 and 1
union all
select 'agent_last_week', agent_id, pass_rate
from analytics.agent_last_week
where not (pass_rate between 0 and 1 and previous_pass_rate between 0 and 1)
union all
select 'agent_version_pass_rate', agent_id, pass_rate
from analytics.agent_version_pass_rate
where not (pass_rate between 0 and 1 and pass_rate_low between 0 and 1 and pass_rate_high between 0 and 1)
union all
select 'agent_change_effect', agent_id, after_pass_rate
from analytics.agent_change_effect
where not (after_pass_rate between 0 and 1 and before_pass_rate between 0 and 1)
union all
select 'failing_metrics', agent_id, failing_share
from analytics.failing_metrics
where not (
    failing_share between 0 and 1
    and failing_share_low between 0 and 1
    and failing_share_high between 0 and 1
)
union all
select 'personality_pass_rate', agent_id, pass_rate
from analytics.personality_pass_rate
where not (pass_rate between 0 and 1 and pass_rate_low between 0 and 1 and pass_rate_high between 0 and 1)
