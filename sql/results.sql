-- One row per live result: a batch of runs that one trigger started. Deleted results are left out, aged out ones stay.
-- What a pass is, is decided here and in analytics.runs; every rate is made of these two.
with results as (
    select *
    from analytics.live_results
),

-- One account uses one scale, so a single rate above 1, deleted or not, proves that all are percentages.
scale as (
    select case when max(success_rate) > 1 then 100 else 1 end as whole
    from cekura.results
    where success_rate < cast('infinity' as double) -- NaN compares as greater still
),

summaries as (
    select
        result_id as summaries_of,
        count(*) as listed,
        count(success) as judged,
        count(*) filter (where success) as passed
    from cekura.runs
    group by result_id
),

-- A rate that is not within 0 and 1 is not believed.
scaled as (
    select
        results.*,
        case when reported_rate / whole between 0 and 1 then reported_rate / whole end as success_rate,
        cast(coalesce(summaries.passed, 0) as bigint) as passed_summaries,
        runs_known
            and coalesce(summaries.listed, 0) = results.runs
            and coalesce(summaries.judged, 0) = results.runs as runs_complete
    from results
    cross join scale
    left join summaries on summaries.summaries_of = results.result_id
),

counted as (
    select
        *,
        case
            when runs_complete then passed_summaries
            when runs = 0 then 0
            else cast(round(success_rate * runs) as bigint)
        end as passed
    from scaled
)

select
    result_id, -- Cekura's id of the result
    result_name, -- name of the result
    agent_id, -- Cekura's id of the agent under test
    agent_name, -- name of the agent as this result carries it
    agent_version, -- version of the agent in the API's own words; NULL where it sends none
    channel, -- voice or text
    direction, -- inbound or outbound
    trigger, -- scheduled or manual
    status, -- status in the API's own word
    status_group, -- in_flight, completed, infrastructure_failure or cancelled
    success_rate, -- the API's success rate, 0 to 1; NULL when it gave none that can be believed
    runs, -- runs that the result consists of
    case
        when status_group <> 'completed' then 0
        when passed is not null then runs
    end as decided_runs, -- runs of a completed result, 0 of any other; NULL when nobody reported how many passed
    case when status_group = 'completed' then passed else 0 end as passed_runs, -- how many of decided_runs passed
    case
        when status_group <> 'completed' or passed is null then null
        when runs_complete then 'runs'
        else 'success_rate'
    end as passes_from, -- what passed_runs was counted from: runs, or success_rate when their summaries are incomplete
    completed_runs, -- runs that came to an end, by the API's count
    expected_outcomes, -- runs with an expected outcome; NULL when fewer than those that met it
    met_expected_outcomes, -- runs that met their expected outcome in full
    created_at, -- when the result was triggered
    created_on, -- UTC day of created_at
    updated_at, -- when it last changed, by the API's word
    synced_at, -- when its content last changed in this warehouse
    aged_out_at -- since when the vendor no longer lists it because of its age; NULL while it does
from counted
