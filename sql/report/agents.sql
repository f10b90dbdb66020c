-- One row per agent: its rate, its last week as analytics.agent_last_week has it, since when its pass rate is different, and its place on the page.
-- Places: agents with a result in the last 30 days come first; among them the worse ones, worst first; then the most tested.
-- `standing` is what the first screen says. Only worse and better are corrected for the number of agents.
with as_of as (
    select coalesce(last_sync_at, current_timestamp) as moment
    from analytics.sync_status
),

-- A step that is older than the last week and the 28 days before did not make them differ. An agent slid if a straight line fits
-- about as well as any step, or better: the step's day is not reliable then.
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
        week.no_verdict_because,
        points.changed_on,
        points.step,
        points.trend,
        points.trend_verdict,
        coalesce(points.changed_on > week.last_day - 35, false) as stepped_lately,
        coalesce(
            points.trend_verdict <> 'no trend'
            and points.trend * points.step > 0
            and points.trend_excursion * 1.1 > points.excursion,
            false
        ) as slid
    from analytics.agent_pass_rate as rates
    cross join as_of
    inner join analytics.agent_last_week as week on week.agent_id is not distinct from rates.agent_id
    inner join analytics.agent_change_point as points on points.agent_id is not distinct from rates.agent_id
),

-- Another mix: a raw difference of 5 points, at least half of which comes from which scenarios ran.
standings as (
    select
        *,
        case
            when not active then null
            when verdict = 'regressed' then 'worse'
            when verdict = 'improved' then 'better'
            when possible and adjusted_difference < 0 then 'possibly worse'
            when (stepped_lately and step < 0) or trend_verdict = 'declined' then 'possibly lower'
            when abs(difference) >= 0.05 and mix_effect / difference >= 0.5 then 'other mix'
        end as standing
    from agents
),

-- The day of the change: a step in the direction of the standing, unless the agent slid.
dated as (
    select
        *,
        case
            when slid then null
            when step < 0 and standing = 'possibly lower' then changed_on
            when stepped_lately and step < 0 and standing in ('worse', 'possibly worse') then changed_on
            when stepped_lately and step > 0 and standing = 'better' then changed_on
        end as since
    from standings
),

-- A step's day is not exact: a change noted within two days of it may be its reason. Without a step the last week is searched.
windows as (
    select
        agent_id,
        coalesce(since, last_day) as middle,
        coalesce(since - 2, last_day - 6) as first_day,
        coalesce(since + 2, last_day) as final_day
    from dated
    where since is not null or standing in ('worse', 'possibly worse', 'better')
),

noted_changes as (
    select
        windows.agent_id,
        steps.changed_at,
        noted.note,
        row_number() over (
            partition by windows.agent_id
            order by
                abs(date_diff('day', cast(steps.changed_at at time zone 'UTC' as date), windows.middle)),
                steps.changed_at,
                noted.line
        ) as place
    from windows
    inner join analytics.agent_changes as steps
        on steps.agent_id = windows.agent_id
        and cast(steps.changed_at at time zone 'UTC' as date) between windows.first_day and windows.final_day
    inner join cekura.changes as noted
        on noted.changed_at = steps.changed_at
        and (noted.agent_id is null or noted.agent_id = steps.agent_id)
)

select
    dated.*,
    noted_changes.changed_at as noted_at,
    noted_changes.note,
    row_number() over (
        order by
            case when active then 0 else 1 end,
            case standing
                when 'worse' then 0
                when 'possibly worse' then 1
                when 'possibly lower' then 2
                when 'other mix' then 3
                else 4
            end,
            case when standing in ('worse', 'possibly worse') then adjusted_difference end,
            decided_runs desc,
            dated.agent_id
    ) as place
from dated
left join noted_changes on noted_changes.agent_id = dated.agent_id and noted_changes.place = 1
order by place
