-- One row per comparison: did the pass rate change, in the scenarios that both sides ran?
-- Takes a relation with one row per run: comparison, family, peers, is_after, result_id, day, scenario, passed, least_results.
-- The comparisons of a family are judged together; each needs so many results after, and three before.
-- Comparisons with the same peers have no run in common, and learn from each other how much days differ.
-- docs/statistics.md has the method, its sources, and the error rates that were measured.
with example as (
    select 1 as comparison, 1 as family, 1 as peers, true as is_after, 1 as result_id, 1 as day, 'a' as scenario, true as passed,
        3 as least_results
    union all
    select 1, 1, 1, false, 2, 2, 'a', false, 3
),

scenarios as (
    select *, rate(after_passed + before_passed + 1, after_runs + before_runs + 2) as pooled_rate
    from scenario_counts(example) as counted
    where information > 0
),

differences as (
    select
        comparison,
        count(*) as shared_scenarios,
        sum(after_runs + before_runs) as covered_runs,
        sum(information) as information,
        sum(information * (after_rate - before_rate)) / sum(information) as difference
    from scenarios
    group by comparison
),

-- For each run: what it adds to the difference if it passes (times the information of all scenarios), its distance from its scenario's rate,
-- and its binomial variance if nothing had changed. All are NULL if its scenario ran on one side only.
shares as (
    select
        example.comparison,
        example.family,
        example.peers,
        example.is_after,
        example.day,
        example.result_id,
        example.least_results,
        information / case when example.is_after then after_runs else before_runs end as share,
        (case when passed then 1 else 0 end) - (case when example.is_after then after_rate else before_rate end) as miss,
        pooled_rate * (1 - pooled_rate) as variance
    from example
    left join scenarios
        on scenarios.comparison = example.comparison
        and scenarios.scenario = example.scenario
),

results as (
    select
        comparison,
        family,
        peers,
        is_after,
        day,
        max(least_results) as least_results,
        sum(share * miss) as miss,
        sum(share * share * variance) as variance,
        sum(share) as share
    from shares
    group by comparison, family, peers, is_after, day, result_id
),

-- Runs of one day are not independent: their distances are added up before they are squared.
days as (
    select
        comparison,
        family,
        peers,
        is_after,
        count(*) as results,
        max(least_results) as least_results,
        sum(miss) * sum(miss) / sum(variance) as excess,
        sum(variance) as variance,
        sum(share) * sum(share) as squared_share
    from results
    group by comparison, family, peers, is_after, day
),

-- The n days of a side are measured against that side's own rates, so they count as n - 1. Days without a shared scenario do not count.
sides as (
    select
        comparison,
        family,
        peers,
        is_after,
        sum(results) as results,
        max(least_results) as least_results,
        nullif(count(variance), 0) - 1 as degrees,
        (count(variance) - 1) * avg(squared_share / variance) as leverage,
        (count(variance) - 1) * avg(squared_share / variance * squared_share / variance) as squared_leverage,
        sum(excess) as excess,
        sum(variance) as variance,
        sum(squared_share) as squared_share
    from days
    group by comparison, family, peers, is_after
),

sums as (
    select
        comparison,
        family,
        peers,
        sum(case when is_after then results else 0 end) as after_results,
        sum(case when is_after then 0 else results end) as before_results,
        max(least_results) as least_results,
        cast(sum(degrees) as double) as degrees,
        sum(leverage) as leverage,
        sum(squared_leverage) as squared_leverage,
        sum(excess) - sum(degrees) as excess,
        sum(variance) as variance,
        sum(squared_share) as squared_share
    from sides
    group by comparison, family, peers
),

reasons as (
    select
        sums.comparison,
        sums.family,
        sums.peers,
        coalesce(differences.shared_scenarios, 0) as shared_scenarios,
        coalesce(differences.covered_runs, 0) as covered_runs,
        differences.difference,
        sums.degrees,
        sums.leverage,
        sums.squared_leverage,
        sums.excess,
        sums.variance / power(differences.information, 2) as variance,
        sums.squared_share / power(differences.information, 2) as squared_share,
        case
            when after_results = 0 or before_results = 0 then 'no decided runs on one side'
            when differences.shared_scenarios is null then 'no scenario ran on both sides'
            when before_results < 3 or after_results < least_results then 'fewer than 3 results on one side'
            when sums.degrees < 4 then 'fewer than 6 days or results to judge by'
        end as no_verdict_because
    from sums
    left join differences on differences.comparison = sums.comparison
),

-- Sums over all peers. excess is what the days of a comparison differ beyond what independent runs would; degrees is the scale of its noise.
pooled as (
    select
        *,
        count(nullif(degrees, 0)) over by_peers as peers_count,
        sum(degrees) over by_peers as peers_degrees,
        sum(leverage) over by_peers as peers_leverage,
        sum(squared_leverage) over by_peers as peers_squared_leverage,
        greatest(0, sum(excess) over by_peers / nullif(sum(leverage) over by_peers, 0)) as peers_variance,
        sum(excess * excess / nullif(degrees, 0)) over by_peers as excess_excess,
        sum(excess * leverage / nullif(degrees, 0)) over by_peers as excess_leverage,
        sum(leverage * leverage / nullif(degrees, 0)) over by_peers as leverage_leverage,
        sum(leverage / nullif(degrees, 0)) over by_peers as mean_leverage,
        sum(squared_leverage / nullif(degrees, 0)) over by_peers as mean_squared_leverage
    from reasons
    window by_peers as (partition by peers)
),

-- likeness: 1 if the excess of the comparisons differs by no more than noise, near 0 if days differ much more in some of them than in others.
-- It divides the squares to be expected, if all had the same variance, by those that there are.
likenesses as (
    select
        *,
        coalesce(
            least(
                1,
                2 * (1 - rate(1, peers_count))
                * (
                    peers_count
                    + 2 * peers_variance * mean_leverage
                    + peers_variance * peers_variance * mean_squared_leverage
                )
                / nullif(
                    greatest(
                        0,
                        excess_excess
                        - 2 * peers_variance * excess_leverage
                        + peers_variance * peers_variance * leverage_leverage
                    ),
                    0
                )
            ),
            1
        ) as likeness
    from pooled
),

-- The variance of a good or bad day is estimated as in R. DerSimonian and N. Laird, Controlled Clinical Trials 7 (1986) 177.
-- Each comparison's own is drawn towards that of its peers: G. Smyth, Stat. Appl. Genet. Mol. Biol. 3 (2004) 3.
spreads as (
    select
        *,
        greatest(0, (1 - likeness) * excess / nullif(leverage, 0) + likeness * peers_variance) as day_variance
    from likenesses
),

-- F. Satterthwaite, Biometrics Bulletin 2 (1946) 110: days with more runs than others weigh more, so fewer days count.
-- What is divided by is the doubt about the day's variance: of the comparison's own days, and of its peers'.
errors as (
    select
        *,
        case when no_verdict_because is null then sqrt(variance + day_variance * squared_share) end as standard_error,
        greatest(
            4,
            least(
                nullif((1 - likeness) * degrees + likeness * peers_degrees, 0),
                2 * power(variance + day_variance * squared_share, 2)
                / nullif(
                    (
                        (1 - likeness) * (1 + 2 * likeness * leverage / nullif(peers_leverage, 0))
                        * 2 * (degrees + 2 * day_variance * leverage + day_variance * day_variance * squared_leverage)
                        / nullif(leverage * leverage, 0)
                        + likeness * likeness
                        * 2 * (
                            peers_degrees
                            + 2 * peers_variance * peers_leverage
                            + peers_variance * peers_variance * peers_squared_leverage
                        )
                        / nullif(peers_leverage * peers_leverage, 0)
                    ) * squared_share * squared_share,
                    0
                )
            )
        ) as t_degrees
    from spreads
),

-- Student's t as a normal value: G. Hill, Communications of the ACM 13 (1970) 617, algorithm 395.
logarithms as (
    select
        *,
        (t_degrees - 0.5) * ln(1 + difference * difference / (standard_error * standard_error * t_degrees)) as y,
        48 * (t_degrees - 0.5) * (t_degrees - 0.5) as b
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
        normal_p(z, 1 / (1 + z / sqrt(cast(8 as double)))) as p_value,
        student_95(t_degrees) * standard_error as margin
    from normal_values
),

-- p_of_fall: one-sided.
ranked as (
    select
        *,
        case when difference < 0 then p_value / 2 else 1 - p_value / 2 end as p_of_fall,
        count(p_value) over (partition by family) as judged,
        row_number() over (
            partition by family
            order by case when difference < 0 then p_value / 2 else 1 - p_value / 2 end nulls last, comparison
        ) as place
    from tested
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
    case when p_value is not null then greatest(-1, difference - margin) end as adjusted_low,
    case when p_value is not null then least(1, difference + margin) end as adjusted_high,
    p_value,
    margin + student_80(t_degrees) * standard_error as smallest_visible_difference,
    case
        when p_value is null then null
        when difference < -margin and adjusted_p_of_fall <= 0.05 then 'regressed'
        when difference > margin and adjusted_p_of_rise <= 0.05 then 'improved'
        else 'same'
    end as verdict,
    case
        when p_value is null then null
        when difference < -margin then adjusted_p_of_fall > 0.05
        when difference > margin then adjusted_p_of_rise > 0.05
        else false
    end as possible,
    no_verdict_because
from adjusted
