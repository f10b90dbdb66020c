-- One row per agent and metric: the agent's latest 10 completed results that measured it, against the up to 10 before them.
-- Runs that pass or fail it are compared by rates, scores by means; NULL without a comparison. In scores, no direction is the better one.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

metrics as (
    select agent_id, metric_key, metric_id, metric_name, metric_type
    from analytics.metrics
),

measured as (
    select agent_id, metric_key, result_id, score, passed, created_at
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
        -- Of fewer scores the normal distribution says too little.
        case
            when recent_scored_runs >= 30 and previous_scored_runs >= 30
                then sqrt(recent_variance / recent_scored_runs + previous_variance / previous_scored_runs)
        end as standard_error
    from sums
),

-- The difference of two means: normal approximation, with the variances of both sides (Welch's standard error).
compared as (
    select
        *,
        rate(recent_passed_runs, recent_decided_runs) - rate(previous_passed_runs, previous_decided_runs) as difference,
        newcombe_low(recent_passed_runs, recent_decided_runs, previous_passed_runs, previous_decided_runs)
            as difference_low,
        newcombe_high(recent_passed_runs, recent_decided_runs, previous_passed_runs, previous_decided_runs)
            as difference_high,
        recent_mean_score - previous_mean_score as score_difference,
        recent_mean_score - previous_mean_score - z95() * standard_error as score_difference_low,
        recent_mean_score - previous_mean_score + z95() * standard_error as score_difference_high
    from errors
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    metrics.metric_id, -- Cekura's id of the metric
    metrics.metric_name, -- its newest name
    metrics.metric_type, -- its newest type: binary, continuous_qualitative, numeric or enum
    recent_results, -- how many latest results measured it, 10 at most
    recent_since, -- when the first of them was triggered
    previous_results, -- how many before them did, 10 at most
    recent_decided_runs, -- runs of the latest results of which it is known whether they passed the metric
    recent_passed_runs, -- how many of them passed it
    rate(recent_passed_runs, recent_decided_runs) as recent_pass_rate, -- recent_passed_runs / recent_decided_runs
    previous_decided_runs, -- the same runs of the results before
    previous_passed_runs, -- how many of them passed it
    rate(previous_passed_runs, previous_decided_runs) as previous_pass_rate, -- previous_passed_runs / previous_decided_runs
    difference, -- recent_pass_rate - previous_pass_rate
    difference_low, -- lower end of Newcombe's 95 % interval of the difference
    difference_high, -- upper end of Newcombe's 95 % interval of the difference
    verdict(difference_low, difference_high) as verdict, -- improved or regressed when that interval excludes 0, else same
    recent_scored_runs, -- runs of the latest results that have a score
    recent_mean_score, -- mean of these scores, in the metric's own scale
    previous_scored_runs, -- runs of the results before that have a score
    previous_mean_score, -- mean of these scores
    score_difference, -- recent_mean_score - previous_mean_score
    score_difference_low, -- lower end of its 95 % interval by normal approximation; NULL with fewer than 30 scores on a side
    score_difference_high, -- upper end of that interval
    case
        when score_difference_low > 0 then 'higher'
        when score_difference_high < 0 then 'lower'
        when score_difference_low is not null then 'same'
    end as score_verdict -- higher or lower when that interval excludes 0, else same
from compared
inner join metrics
    on metrics.agent_id is not distinct from compared.agent_id
    and metrics.metric_key = compared.metric_key
inner join agents on agents.agent_id is not distinct from compared.agent_id
