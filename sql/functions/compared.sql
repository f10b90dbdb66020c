-- One row per comparison: did the pass rate change, in the scenarios that both sides ran?
-- Takes a relation with one row per run: comparison, family, is_after, result_id, day, scenario, passed, least_results.
-- The comparisons of a family are judged together; each needs so many results after, and three before.
-- docs/statistics.md has the method, its sources, and the error rates that were measured.
with example as (
    select 1 as comparison, 1 as family, true as is_after, 1 as result_id, 1 as day, 'a' as scenario, true as passed,
        3 as least_results
    union all
    select 1, 1, false, 2, 2, 'a', false, 3
),

scenarios as (
    select *, rate(after_passed + before_passed + 1, after_runs + before_runs + 2) as pooled_rate
    from compared_scenarios(example) as compared
    where weight > 0
),

differences as (
    select
        comparison,
        count(*) as shared_scenarios,
        sum(after_runs + before_runs) as covered_runs,
        sum(weight * (after_rate - before_rate)) as difference
    from scenarios
    group by comparison
),

-- For each run: what it adds to the difference if it passes, its distance from its scenario's rate, and its binomial variance if nothing had changed.
shares as (
    select
        example.comparison,
        example.is_after,
        example.day,
        case when example.is_after then weight / after_runs else weight / before_runs end as share,
        (case when passed then 1 else 0 end) - (case when example.is_after then after_rate else before_rate end) as miss,
        pooled_rate * (1 - pooled_rate) as variance
    from example
    inner join scenarios
        on scenarios.comparison = example.comparison
        and scenarios.scenario = example.scenario
),

-- Runs of one day are not independent: their distances are added up before they are squared.
days as (
    select
        comparison,
        is_after,
        sum(share * miss) * sum(share * miss) / sum(share * share * variance) as excess,
        sum(share * share * variance) as variance,
        sum(share) * sum(share) as squared_share
    from shares
    group by comparison, is_after, day
),

-- The n days of a side are measured against that side's own rates, so they count as n - 1.
sides as (
    select
        comparison,
        count(*) - 1 as degrees,
        (count(*) - 1) * avg(squared_share / variance) as leverage,
        (count(*) - 1) * avg(squared_share / variance * squared_share / variance) as squared_leverage,
        sum(excess) as excess,
        sum(variance) as variance,
        sum(squared_share) as squared_share
    from days
    group by comparison, is_after
),

sums as (
    select
        comparison,
        cast(sum(degrees) as double) as degrees,
        sum(leverage) as leverage,
        sum(squared_leverage) as squared_leverage,
        sum(excess) as excess,
        sum(variance) as variance,
        sum(squared_share) as squared_share
    from sides
    group by comparison
),

-- The variance of a good or bad day, as R. DerSimonian and N. Laird estimate it, Controlled Clinical Trials 7 (1986) 177.
spreads as (
    select
        comparison,
        degrees,
        leverage,
        squared_leverage,
        variance,
        squared_share,
        greatest(0, (excess - degrees) / nullif(leverage, 0)) as day_variance
    from sums
),

results as (
    select
        comparison,
        family,
        count(distinct case when is_after then result_id end) as after_results,
        count(distinct case when not is_after then result_id end) as before_results,
        max(least_results) as least_results
    from example
    group by comparison, family
),

reasons as (
    select
        results.comparison,
        results.family,
        coalesce(differences.shared_scenarios, 0) as shared_scenarios,
        coalesce(differences.covered_runs, 0) as covered_runs,
        differences.difference,
        spreads.variance + spreads.day_variance * spreads.squared_share as variance,
        nullif(spreads.degrees, 0) as days_to_judge_by,
        -- F. Satterthwaite, Biometrics Bulletin 2 (1946) 110: days with more runs than others weigh more, so fewer days count.
        power(spreads.variance + spreads.day_variance * spreads.squared_share, 2) * power(leverage, 2)
        / nullif(
            (
                spreads.degrees
                + 2 * spreads.day_variance * spreads.leverage
                + spreads.day_variance * spreads.day_variance * spreads.squared_leverage
            ) * power(spreads.squared_share, 2),
            0
        ) as effective_degrees,
        case
            when after_results = 0 or before_results = 0 then 'no runs on one side'
            when differences.shared_scenarios is null then 'no scenario ran on both sides'
            when before_results < 3 or after_results < least_results then 'fewer than 3 results on one side'
            when spreads.degrees < 4 then 'fewer than 6 days or results to judge by'
        end as no_verdict_because
    from results
    left join differences on differences.comparison = results.comparison
    left join spreads on spreads.comparison = results.comparison
),

errors as (
    select
        *,
        greatest(4, least(days_to_judge_by, effective_degrees)) as degrees,
        case when no_verdict_because is null then sqrt(variance) end as standard_error
    from reasons
),

-- Student's t as a normal value: G. Hill, Communications of the ACM 13 (1970) 617, algorithm 395.
logarithms as (
    select
        *,
        (degrees - 0.5) * ln(1 + difference * difference / (standard_error * standard_error * degrees)) as y,
        48 * (degrees - 0.5) * (degrees - 0.5) as b
    from errors
),

normal_values as (
    select
        *,
        sqrt(y) * (
            1 + (y + 3 + (-85.5 + y * (-24 + y * (-3.3 - 0.4 * y))) / (0.8 * y * y + 100 + b)) / b
        ) as z
    from logarithms
),

tested as (
    select
        *,
        normal_p(z, 1 / (1 + z / sqrt(cast(8 as double)))) as p_value
    from normal_values
),

one_sided as (
    select *, case when difference < 0 then p_value / 2 else 1 - p_value / 2 end as p_of_fall
    from tested
),

ranked as (
    select
        *,
        count(p_value) over (partition by family) as judged,
        row_number() over (partition by family order by p_of_fall nulls last, comparison) as place
    from one_sided
),

-- Y. Benjamini and Y. Hochberg, J. R. Stat. Soc. B 57 (1995) 289, in each direction.
adjusted as (
    select
        *,
        min(p_of_fall * judged / place) over (
            partition by family order by place desc rows between unbounded preceding and current row
        ) as adjusted_p_of_fall,
        min((1 - p_of_fall) * judged / greatest(judged + 1 - place, 1)) over (
            partition by family order by place nulls first rows between unbounded preceding and current row
        ) as adjusted_p_of_rise
    from ranked
)

select
    comparison,
    shared_scenarios,
    covered_runs,
    difference as adjusted_difference,
    case when p_value is not null then greatest(-1, difference - student_95(degrees) * standard_error) end as adjusted_low,
    case when p_value is not null then least(1, difference + student_95(degrees) * standard_error) end as adjusted_high,
    p_value,
    (student_95(degrees) + student_80(degrees)) * standard_error as smallest_visible_difference,
    case
        when p_value is null then null
        when p_value <= 0.05 and difference < 0 and adjusted_p_of_fall <= 0.05 then 'regressed'
        when p_value <= 0.05 and difference > 0 and adjusted_p_of_rise <= 0.05 then 'improved'
        else 'same'
    end as verdict,
    p_value <= 0.05 and not (
        (difference < 0 and adjusted_p_of_fall <= 0.05) or (difference > 0 and adjusted_p_of_rise <= 0.05)
    ) as possible,
    no_verdict_because
from adjusted
