-- One row per live result: a batch of runs that one trigger started. Deleted results are left out; aged-out results stay.
-- This view decides how many runs of a result passed: by their outcomes in analytics.runs, or else by the API's figures.
with results as (
    select
        *,
        case when reported_rate between 0 and 101 then reported_rate end as rate -- not NaN, not infinity
    from analytics.live_results
),

-- A sync stores how the runs of each result came out (sql/stored). Where nobody has, they are counted here.
uncounted as (
    select result_id, outcome
    from analytics.runs
    where result_id in (select id from cekura.results where deleted_at is null and _runs_listed is null)
),

counts as (
    select result_id as counts_of, listed, known, passed, decided
    from counted_outcomes(uncounted) as counted
),

summaries as (
    select
        results.*,
        coalesce(_runs_listed, counts.listed, 0) as listed,
        coalesce(_runs_with_outcome, counts.known, 0) as known,
        cast(coalesce(_runs_passed, counts.passed, 0) as bigint) as passed_summaries,
        cast(coalesce(_runs_decided, counts.decided, 0) as bigint) as decided_summaries
    from results
    left join counts on counts.counts_of = results.result_id
),

-- Newer servers count passed runs and failed runs; older ones count every run that ended as a success.
known as (
    select
        *,
        runs_known and listed = runs and known = runs as runs_complete,
        counted_passes >= 0
            and counted_failures >= 0
            and counted_passes + counted_failures <= completed_runs
            and completed_runs <= runs as counts_possible
    from summaries
),

-- If all runs are counted as successes, that says nothing: older servers always count this way.
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

-- A rate above 1 (beyond rounding) is a percentage. Otherwise the scale that gives the known number of passed runs is right.
-- A percentage of at most 1 needs a run that passed among 50 or more: with fewer, it is a fraction that contradicts the runs.
witnesses as (
    select
        *,
        case
            when rate > 1.01 then 100
            when rate > 0 and abs(rate - share) * runs <= 0.5 then 1
            when rate / 100 * runs >= 0.5 and abs(rate / 100 - share) * runs <= 0.5 then 100
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

-- Rows of one sync came from one server, so their majority decides. If none of them shows the scale, an earlier sync decides, or else a later one.
batches as (
    select
        synced_at,
        case when 2 * count(*) filter (where evidence = 100) >= count(*) then 100 else 1 end as batch_whole
    from votes
    group by synced_at
),

times as (
    select synced_at
    from cekura.results
    where deleted_at is null
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

-- A rate that is not between 0 and 1 is ignored.
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
            else cast(floor(success_rate * runs + 0.500000001) as bigint) -- rounds half up, even where a double falls just short of a half
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
    agent_name, -- name of the agent in this result
    agent_version, -- name of the agent's version; NULL where the API sends none
    agent_version_id, -- identifies the version: Cekura's id, or the name if there is no id
    project_id, -- the project; NULL unless the API or a filter of a sync names it
    channel, -- voice or text
    direction, -- inbound or outbound
    trigger, -- scheduled or manual
    status, -- status as the API sends it
    status_group, -- in_flight, completed, infrastructure_failure or cancelled
    success_rate, -- the API's success rate, 0 to 1; NULL when it sent none or an impossible one
    runs, -- number of runs of the result
    case when status_group = 'completed' then decided else 0 end as decided_runs, -- runs of a completed result that passed or failed; 0 for other results; NULL when the API does not say how many passed
    case when status_group = 'completed' then passed else 0 end as passed_runs, -- how many of decided_runs passed
    case when status_group = 'completed' then runs - decided else 0 end as lost_runs, -- the other runs of a completed result: the call failed, never ended or was cancelled; 0 for other results, and where only success_rate is known
    case when status_group = 'completed' and passed is not null then source end as passes_from, -- the source of these counts: runs (the run summaries), counts (the API's counts), or success_rate when neither can be used
    cast(whole as bigint) as rate_whole, -- scale of the API's success_rate: 1 for a fraction, 100 for a percentage
    cast(evidence as bigint) as rate_evidence, -- the scale that this result alone shows; NULL when it shows none
    completed_runs, -- runs that ended, as counted by the API
    expected_outcomes, -- runs with an expected outcome; NULL when the API's counts contradict each other
    met_expected_outcomes, -- runs that met their expected outcome in full
    created_at, -- when the result was triggered
    created_on, -- UTC day of created_at
    updated_at, -- when it last changed, according to the API
    synced_at, -- when its content last changed in this warehouse
    aged_out_at -- when the API stopped listing it because of its age; NULL while the API lists it
from counted
