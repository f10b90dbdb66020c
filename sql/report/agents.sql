-- One row per agent: its rate, its last week as analytics.agent_last_week has it, and its place on the page.
-- Places: agents with a result in the last 30 days first, of these the regressed ones, worst first, then the most tested.
with as_of as (
    select coalesce(last_sync_at, current_timestamp) as moment
    from analytics.sync_status
),

agents as (
    select
        rates.agent_id,
        rates.agent_name,
        rates.completed_results,
        rates.decided_runs,
        rates.passed_runs,
        rates.pass_rate,
        rates.pass_rate_low,
        rates.pass_rate_high,
        rates.last_result_at,
        coalesce(rates.last_result_at >= as_of.moment - interval '30 days', false) as active,
        week.last_day,
        week.decided_runs as recent_decided_runs,
        week.passed_runs as recent_passed_runs,
        week.pass_rate as recent_pass_rate,
        week.previous_decided_runs,
        week.previous_passed_runs,
        week.previous_pass_rate,
        week.difference,
        week.mix_effect,
        week.adjusted_difference,
        week.adjusted_low,
        week.adjusted_high,
        week.p_value,
        week.smallest_visible_difference,
        week.verdict,
        week.possible,
        week.no_verdict_because
    from analytics.agent_pass_rate as rates
    cross join as_of
    inner join analytics.agent_last_week as week on week.agent_id is not distinct from rates.agent_id
)

select
    *,
    row_number() over (
        order by
            case when active then 0 else 1 end,
            case when verdict = 'regressed' then 0 else 1 end,
            case when verdict = 'regressed' then adjusted_difference end,
            decided_runs desc,
            agent_id
    ) as place
from agents
order by place
