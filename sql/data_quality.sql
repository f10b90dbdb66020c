-- One row per kind of suspect data in the warehouse, with one example. It is empty when nothing is suspect.
-- Severity: error means that figures may be wrong, warning that they leave something out, info that they are based on less exact data.
with results as (
    select
        result_id, agent_id, status, status_group, success_rate, rate_whole, rate_evidence, runs, passed_runs,
        passes_from, created_at, synced_at
    from analytics.results
),

reported as (
    select
        id as result_id, success_rate, completed_runs_count, failed_runs_count, total_runs_count,
        met_expected_outcome_count, total_expected_outcome_count
    from cekura.results
    where deleted_at is null
),

scale_votes as (
    select synced_at, count(*) as votes, count(*) filter (where rate_evidence = 100) as percent_votes
    from results
    where rate_evidence is not null
    group by synced_at
),

-- Rows whose scale differs from that of most rows of their sync; or a rate above 0 that makes less than half a run, so the scale is probably wrong.
mixed_scale as (
    select
        'mixed_success_rate_scale' as finding,
        'error' as severity,
        'success_rate is a fraction in some rows of one sync and a percentage in others; each row follows its own runs or counts, or else the majority' as meaning,
        'result ' || cast(results.result_id as varchar) as example
    from results
    left join scale_votes on scale_votes.synced_at = results.synced_at
    where (results.rate_evidence = 1 and 2 * scale_votes.percent_votes >= scale_votes.votes)
        or (
            results.rate_evidence = 100
            and 2 * scale_votes.percent_votes < scale_votes.votes
        )
        or (
            results.rate_evidence is null
            and results.rate_whole = 100
            and results.success_rate > 0
            and results.success_rate * results.runs < 0.5
        )
),

rate_out_of_range as (
    select
        'success_rate_out_of_range' as finding,
        'error' as severity,
        'success_rate is neither between 0 and 1 nor between 0 and 100, and is ignored' as meaning,
        'result ' || cast(results.result_id as varchar) as example
    from results
    inner join reported on reported.result_id = results.result_id
    where reported.success_rate is not null and results.success_rate is null
),

rate_disagrees as (
    select
        'success_rate_disagrees_with_runs' as finding,
        'error' as severity,
        'success_rate and the run summaries differ by more than half a run; the summaries are used' as meaning,
        'result ' || cast(result_id as varchar) as example
    from results
    where passes_from = 'runs' and abs(success_rate * runs - passed_runs) > 0.5
),

counts_contradict as (
    select
        'counts_contradict' as finding,
        'warning' as severity,
        'a count is below 0 or above its total; contradictory expected outcomes are left out' as meaning,
        'result ' || cast(result_id as varchar) as example
    from reported
    where total_runs_count < 0
        or completed_runs_count > total_runs_count
        or failed_runs_count > total_runs_count
        or met_expected_outcome_count < 0
        or met_expected_outcome_count > total_expected_outcome_count
),

passes_unknown as (
    select
        'passes_unknown' as finding,
        'warning' as severity,
        'neither the runs nor the counts nor the success_rate of a completed result say how many passed; no rate counts it' as meaning,
        'result ' || cast(result_id as varchar) as example
    from results
    where status_group = 'completed' and passed_runs is null
),

without_runs as (
    select
        'completed_without_runs' as finding,
        'warning' as severity,
        'a completed result has no runs, so no rate counts it' as meaning,
        'result ' || cast(result_id as varchar) as example
    from results
    where status_group = 'completed' and runs = 0
),

from_success_rate as (
    select
        'passes_from_success_rate' as finding,
        'info' as severity,
        'neither the run summaries nor the counts can be used, so passed runs are success_rate times runs, rounded, and lost runs are not seen' as meaning,
        'result ' || cast(result_id as varchar) as example
    from results
    where passes_from = 'success_rate' and runs > 0
),

runs_from_earlier as (
    select
        'runs_from_earlier_reading' as finding,
        'warning' as severity,
        'the API listed runs of a result before, but not when the result was last read; the views of runs show the earlier ones, and those that had not ended count as unknown' as meaning,
        'result ' || cast(result_id as varchar) as example
    from analytics.live_results
    where not runs_known
        and status_group <> 'in_flight'
        and result_id in (select result_id from cekura.runs)
),

unknown_status as (
    select
        'unknown_status' as finding,
        'warning' as severity,
        'an unknown status counts as in flight' as meaning,
        'result ' || cast(result_id as varchar) as example
    from results
    where status is null
        or status not in (
            'pending', 'in_queue', 'scaling_up', 'running', 'in_progress', 'evaluating',
            'completed', 'failed', 'timeout', 'cancelled'
        )
),

without_agent as (
    select
        'agent_missing' as finding,
        'warning' as severity,
        'results without an agent are counted under agent_id NULL' as meaning,
        'result ' || cast(result_id as varchar) as example
    from results
    where agent_id is null
),

undated as (
    select
        'created_at_missing' as finding,
        'warning' as severity,
        'a result without created_at belongs to no day or week' as meaning,
        'result ' || cast(result_id as varchar) as example
    from results
    where created_at is null
),

from_the_future as (
    select
        'created_at_in_the_future' as finding,
        'warning' as severity,
        'created_at is more than a day after this warehouse read the result' as meaning,
        'result ' || cast(result_id as varchar) as example
    from results
    where created_at > synced_at + interval '24 hours'
),

rejected as (
    select
        'rejected_rows' as finding,
        'warning' as severity,
        'rows that could not be stored are missing here; see cekura.rejected_rows' as meaning,
        coalesce('result ' || cast(id as varchar) || ': ', '') || coalesce(reason, 'no reason') as example
    from cekura.rejected_rows
),

-- A filtered warehouse lacks other agents' results, so this is not an error.
changes_of_no_agent as (
    select
        'change_of_unknown_agent' as finding,
        'warning' as severity,
        'a change in your list names an agent that no result here has, so its effect is unknown; check agent_id' as meaning,
        'line ' || cast(changes.line as varchar) || ': agent ' || cast(changes.agent_id as varchar) as example
    from cekura.changes
    where changes.agent_id is not null
        and not exists (select 1 from results where results.agent_id = changes.agent_id)
),

findings as (
    select * from mixed_scale
    union all select * from rate_out_of_range
    union all select * from rate_disagrees
    union all select * from counts_contradict
    union all select * from passes_unknown
    union all select * from without_runs
    union all select * from from_success_rate
    union all select * from runs_from_earlier
    union all select * from unknown_status
    union all select * from without_agent
    union all select * from undated
    union all select * from from_the_future
    union all select * from rejected
    union all select * from changes_of_no_agent
)

select
    finding, -- name of the finding
    severity, -- error, warning or info
    count(*) as rows, -- number of suspect rows
    min(example) as example, -- one of them
    meaning -- what was found, and how the figures treat it
from findings
group by finding, severity, meaning
