-- One row per live result: a batch of runs that one trigger started. Deleted results are left out, aged out ones stay.
-- How many runs of a result passed is decided here, from their outcomes in analytics.runs, or else from the API's figures.
with results as (
    select
        *,
        case when reported_rate between 0 and 101 then reported_rate end as rate -- not NaN, not infinity
    from analytics.live_results
),

-- A sync stores these counts with each result that it writes (sql/stored). Where nobody has, they are made here.
uncounted as (
    select result_id, outcome
    from analytics.runs
    where result_id in (select id from cekura.results where deleted_at is null and _runs_listed is null)
),

summaries as (
    select
        id as summaries_of,
        _runs_listed as listed,
        _runs_with_outcome as known,
        _runs_passed as passed,
        _runs_decided as decided
    from cekura.results
    where _runs_listed is not null
    union all
    select result_id, listed, known, passed, decided
    from counted_outcomes(uncounted) as counted
),

-- Newer servers count what passed and what failed; older ones count all that ended as a success.
known as (
    select
        results.*,
        cast(coalesce(summaries.passed, 0) as bigint) as passed_summaries,
        cast(coalesce(summaries.decided, 0) as bigint) as decided_summaries,
        runs_known
            and coalesce(summaries.listed, 0) = results.runs
            and coalesce(summaries.known, 0) = results.runs as runs_complete,
        counted_passes >= 0
            and counted_failures >= 0
            and counted_passes + counted_failures <= completed_runs
            and completed_runs <= results.runs as counts_possible
    from results
    left join summaries on summaries.summaries_of = results.result_id
),

-- All runs as a success says nothing: older servers count so whatever passed.
shares as (
    select
        *,
        case
            when status_group <> 'completed' or runs = 0 then null
            when runs_complete then cast(passed_summaries as double) / runs
            when counts_possible and counted_passes < runs then cast(counted_passes as double) / runs
        end as share
    from known
),

-- Beyond rounding, a rate above 1 can only be a percentage. Near means: it makes the same number of runs.
witnesses as (
    select
        *,
        case
            when rate > 1.01 then 100
            when rate > 0 and abs(rate - share) * runs <= 0.5 then 1
            when rate > 0 and abs(rate / 100 - share) * runs <= 0.5 then 100
        end as evidence
    from shares
),

votes as (
    select synced_at, evidence
    from witnesses
    where evidence is not null
    union all
    select synced_at, 100 as evidence
    from cekura.results
    where deleted_at is not null and success_rate between 1.01 and 101
),

-- What was written at one time came from one server: the majority decides, and where nobody knows, the time before.
batches as (
    select
        synced_at,
        case when 2 * count(*) filter (where evidence = 100) >= count(*) then 100 else 1 end as batch_whole
    from votes
    group by synced_at
),

times as (
    select synced_at
    from results
    group by synced_at
),

moments as (
    select times.synced_at, batches.synced_at as voted_at
    from times
    left join batches on batches.synced_at = times.synced_at
),

neighbours as (
    select
        synced_at,
        coalesce(
            max(voted_at) over (order by synced_at nulls first rows between unbounded preceding and current row),
            min(voted_at) over (order by synced_at nulls first rows between current row and unbounded following)
        ) as decided_by
    from moments
),

scales as (
    select neighbours.synced_at as scale_of, batches.batch_whole
    from neighbours
    inner join batches on batches.synced_at = neighbours.decided_by
),

-- A rate that is not within 0 and 1 is not believed.
scaled as (
    select
        witnesses.*,
        coalesce(evidence, scales.batch_whole, 1) as whole,
        case
            when rate / coalesce(evidence, scales.batch_whole, 1) <= 1.000001
                then least(1, rate / coalesce(evidence, scales.batch_whole, 1))
        end as success_rate
    from witnesses
    left join scales on scales.scale_of = witnesses.synced_at
),

sourced as (
    select
        *,
        case
            when runs_complete then 'runs'
            when counts_possible and abs(success_rate * runs - counted_passes) <= 0.5 then 'counts'
            else 'success_rate'
        end as source
    from scaled
),

counted as (
    select
        *,
        case
            when source = 'runs' then passed_summaries
            when source = 'counts' then counted_passes
            when runs = 0 then 0
            else cast(floor(success_rate * runs + 0.500000001) as bigint) -- a half counts as whole, also where a double falls short of it
        end as passed,
        case
            when source = 'runs' then decided_summaries
            when source = 'counts' then counted_passes + counted_failures
            when runs = 0 or success_rate is not null then runs
        end as decided
    from sourced
)

select
    result_id, -- Cekura's id of the result
    result_name, -- name of the result
    agent_id, -- Cekura's id of the agent under test
    agent_name, -- name of the agent as this result carries it
    agent_version, -- name of the agent's version; NULL where the API sends none
    agent_version_id, -- what tells versions apart: Cekura's id of the version, or the name where there is only that
    project_id, -- the project, where the API or the scope of a sync says it
    channel, -- voice or text
    direction, -- inbound or outbound
    trigger, -- scheduled or manual
    status, -- status in the API's own word
    status_group, -- in_flight, completed, infrastructure_failure or cancelled
    success_rate, -- the API's success rate, 0 to 1; NULL when it gave none that can be believed
    runs, -- runs that the result consists of
    case when status_group = 'completed' then decided else 0 end as decided_runs, -- runs of a completed result that passed or failed, 0 of any other; NULL when nobody reported how many passed
    case when status_group = 'completed' then passed else 0 end as passed_runs, -- how many of decided_runs passed
    case when status_group = 'completed' then runs - decided else 0 end as lost_runs, -- the other runs of a completed result: the call failed, never ended or was cancelled; 0 where only success_rate is known
    case when status_group = 'completed' and passed is not null then source end as passes_from, -- what these were counted from: runs, counts, or success_rate when neither can be believed
    cast(whole as bigint) as rate_whole, -- what the API's success_rate is a share of: 1, or 100 where it is a percentage
    cast(evidence as bigint) as rate_evidence, -- what this result alone says about that; NULL when it says nothing
    completed_runs, -- runs that came to an end, by the API's count
    expected_outcomes, -- runs with an expected outcome; NULL when fewer than those that met it
    met_expected_outcomes, -- runs that met their expected outcome in full
    created_at, -- when the result was triggered
    created_on, -- UTC day of created_at
    updated_at, -- when it last changed, by the API's word
    synced_at, -- when its content last changed in this warehouse
    aged_out_at -- since when the vendor no longer lists it because of its age; NULL while it does
from counted
