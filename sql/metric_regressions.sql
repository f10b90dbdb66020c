-- One row per agent and metric: the agent's latest 10 completed results that measured it, compared with up to 10 results before them.
-- Metrics that runs pass or fail are compared by pass rates, within scenarios, and corrected for the number of rows. Scores are compared by means.
-- The verdict on scores is only higher, lower or same, because a higher score is not always the better one.
-- Empty without `sync --details`.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

metrics as (
    select agent_id, metric_key, metric_id, metric_name, metric_type
    from analytics.metrics
),

measured as (
    select
        agent_id, metric_key, result_id, score, passed, created_at, created_on,
        scenario_key(scenario_id, scenario_name) as scenario
    from analytics.run_metrics
    where result_status_group = 'completed' and (score is not null or passed is not null)
),

placed as (
    select
        *,
        dense_rank() over (
            partition by agent_id, metric_key
            order by case when created_at is null then 1 else 0 end, created_at desc, result_id desc
        ) as place
    from measured
),

sums as (
    select
        agent_id,
        metric_key,
        count(distinct case when place <= 10 then result_id end) as recent_results,
        count(case when place <= 10 then passed end) as recent_decided_runs,
        count(case when place <= 10 and passed then 1 end) as recent_passed_runs,
        count(case when place <= 10 then score end) as recent_scored_runs,
        avg(case when place <= 10 then score end) as recent_mean_score,
        var_samp(case when place <= 10 then score end) as recent_variance,
        min(case when place <= 10 then created_at end) as recent_since,
        count(distinct case when place > 10 then result_id end) as previous_results,
        count(case when place > 10 then passed end) as previous_decided_runs,
        count(case when place > 10 and passed then 1 end) as previous_passed_runs,
        count(case when place > 10 then score end) as previous_scored_runs,
        avg(case when place > 10 then score end) as previous_mean_score,
        var_samp(case when place > 10 then score end) as previous_variance
    from placed
    where place <= 20
    group by agent_id, metric_key
),

errors as (
    select
        *,
        -- With fewer scores the normal approximation is too rough.
        case
            when recent_scored_runs >= 30 and previous_scored_runs >= 30
                then sqrt(recent_variance / recent_scored_runs + previous_variance / previous_scored_runs)
        end as standard_error
    from sums
),

keys as (
    select agent_id, metric_key, row_number() over (order by agent_id, metric_key) as comparison
    from sums
),

runs as (
    select
        keys.comparison,
        1 as family,
        placed.metric_key as peers,
        placed.place <= 10 as is_after,
        placed.result_id,
        placed.created_on as day,
        placed.scenario,
        placed.passed,
        3 as least_results
    from placed
    inner join keys on keys.agent_id is not distinct from placed.agent_id and keys.metric_key = placed.metric_key
    where placed.place <= 20 and placed.passed is not null
),

comparisons as (
    select *
    from compared(runs) as compared
),

-- The difference of two means: normal approximation, with the variances of both sides (Welch's standard error).
differences as (
    select
        errors.*,
        keys.comparison,
        rate(recent_passed_runs, recent_decided_runs) as recent_pass_rate,
        rate(previous_passed_runs, previous_decided_runs) as previous_pass_rate,
        recent_mean_score - previous_mean_score as score_difference,
        recent_mean_score - previous_mean_score - z95() * standard_error as score_difference_low,
        recent_mean_score - previous_mean_score + z95() * standard_error as score_difference_high
    from errors
    inner join keys on keys.agent_id is not distinct from errors.agent_id and keys.metric_key = errors.metric_key
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    metrics.metric_id, -- Cekura's id of the metric
    metrics.metric_name, -- its newest name
    metrics.metric_type, -- its newest type: binary, continuous_qualitative, numeric or enum
    recent_results, -- number of latest results that measured the metric, at most 10
    recent_since, -- when the first of them was triggered
    previous_results, -- number of results before them that measured it, at most 10
    recent_decided_runs, -- runs of the latest results that passed or failed the metric
    recent_passed_runs, -- how many of them passed it
    recent_pass_rate, -- recent_passed_runs / recent_decided_runs
    previous_decided_runs, -- runs of the results before them that passed or failed the metric
    previous_passed_runs, -- how many of them passed it
    previous_pass_rate, -- previous_passed_runs / previous_decided_runs
    recent_pass_rate - previous_pass_rate as difference, -- recent_pass_rate - previous_pass_rate, over all runs
    recent_pass_rate - previous_pass_rate - adjusted_difference as mix_effect, -- the part of difference that is due to which scenarios ran, and how often
    adjusted_difference, -- the difference within the scenarios that ran on both sides
    adjusted_low, -- lower end of its 95 % interval
    adjusted_high, -- upper end of its 95 % interval
    coalesce(shared_scenarios, 0) as shared_scenarios, -- scenarios that ran on both sides
    rate(coalesce(covered_runs, 0), recent_decided_runs + previous_decided_runs) as covered_share, -- the share of these runs that belong to shared scenarios
    p_value, -- how often chance alone gives an adjusted_difference at least this far from 0
    smallest_visible_difference, -- the smallest true difference that a comparison like this one detects in 80 % of cases
    verdict, -- improved, same or regressed, corrected for the number of rows of this view; NULL if there is none, see no_verdict_because
    coalesce(possible, false) as possible, -- whether the interval excludes 0 although the verdict is same
    case when verdict is null then coalesce(no_verdict_because, 'no decided runs on one side') end as no_verdict_because, -- why there is no verdict
    recent_scored_runs, -- runs of the latest results that have a score
    recent_mean_score, -- mean of these scores, in the metric's own scale
    previous_scored_runs, -- runs of the results before them that have a score
    previous_mean_score, -- mean of these scores
    score_difference, -- recent_mean_score - previous_mean_score
    score_difference_low, -- lower end of its 95 % interval by normal approximation; NULL if either side has fewer than 30 scores
    score_difference_high, -- upper end of that interval
    case
        when score_difference_low > 0 then 'higher'
        when score_difference_high < 0 then 'lower'
        when score_difference_low is not null then 'same'
    end as score_verdict -- higher or lower when that interval excludes 0, otherwise same
from differences
inner join metrics
    on metrics.agent_id is not distinct from differences.agent_id
    and metrics.metric_key = differences.metric_key
inner join agents on agents.agent_id is not distinct from differences.agent_id
left join comparisons on comparisons.comparison = differences.comparison
