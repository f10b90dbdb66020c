-- One row per agent and week of the last two years: its pass rate with the Wilson 95 % interval, and what the team changed in that week.
with as_of as (
    select cast(coalesce(last_sync_at, current_timestamp) at time zone 'UTC' as date) as today
    from analytics.sync_status
),

noted as (
    select distinct
        steps.agent_id,
        cast(date_trunc('week', steps.changed_at at time zone 'UTC') as date) as week,
        changes.note
    from analytics.agent_changes as steps
    inner join cekura.changes as changes
        on changes.changed_at = steps.changed_at
        and (changes.agent_id is null or changes.agent_id = steps.agent_id)
),

changes as (
    select agent_id, week, string_agg(note, '; ' order by note) as notes
    from noted
    group by agent_id, week
)

select
    agent_label(weekly.agent_name, weekly.agent_id) as agent, -- its newest name, with its id
    weekly.week, -- Monday of the week, in UTC
    weekly.decided_runs, -- runs of completed results that passed or failed
    weekly.passed_runs, -- decided runs that passed
    rate(weekly.passed_runs, weekly.decided_runs) as pass_rate, -- passed_runs / decided_runs
    wilson_low(weekly.passed_runs, weekly.decided_runs) as pass_rate_low, -- lower end of its 95 % interval
    wilson_high(weekly.passed_runs, weekly.decided_runs) as pass_rate_high, -- upper end of its 95 % interval
    changes.notes as noted_changes, -- what the team noted about changes in this week; NULL without
    case when changes.notes is not null then rate(weekly.passed_runs, weekly.decided_runs) end as pass_rate_at_change -- pass_rate in a week with a noted change: marks it on a curve
from analytics.agent_weekly as weekly
inner join as_of on weekly.week between as_of.today - 729 and as_of.today
left join changes on changes.agent_id is not distinct from weekly.agent_id and changes.week = weekly.week
order by agent, weekly.week
