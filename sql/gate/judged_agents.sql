-- One row per agent that the gate is asked about: passed, worse or cannot be judged, and why. docs/ci.md has the rules.
with comparisons as (
    select *
    from compared(judged_runs) as compared
),

listed as (
    select
        comparison,
        count(*) filter (where is_after) as results,
        sum(case when is_after then decided_runs end) as decided_runs,
        sum(case when is_after then passed_runs end) as passed_runs,
        count(*) filter (where not is_after) as baseline_results,
        sum(case when not is_after then decided_runs end) as baseline_decided_runs,
        sum(case when not is_after then passed_runs end) as baseline_passed_runs
    from sides
    group by comparison
),

measured as (
    select
        comparison,
        count(*) filter (where is_after) as decided_runs,
        count(*) filter (where is_after and passed) as passed_runs,
        count(*) filter (where not is_after) as baseline_decided_runs,
        count(*) filter (where not is_after and passed) as baseline_passed_runs
    from judged_runs
    group by comparison
),

-- Like compared(), only the days on which a scenario ran that ran on both sides.
shared as (
    select
        judged_runs.comparison,
        count(distinct case when is_after then day end) + count(distinct case when not is_after then day end) as days
    from judged_runs
    inner join judged_scenarios
        on judged_scenarios.comparison = judged_runs.comparison
        and judged_scenarios.scenario = judged_runs.scenario
    where after_runs > 0 and before_runs > 0
    group by judged_runs.comparison
),

-- Results that were asked for by their ids, and have ended without a decided run.
undecided as (
    select asked.comparison, count(*) as results, min(results.result_id) as first_id
    from asked
    inner join analytics.live_results as results on results.agent_id = asked.agent_id
    inner join asked_results on asked_results.result_id = results.result_id
    where results.status_group <> 'in_flight'
        and results.result_id not in (select result_id from sides where is_after and metric is null)
        and results.result_id not in (select result_id from judged_runs where is_after)
    group by asked.comparison
),

-- Results that the list shows and that could not be stored: named ones, and those as new as what is judged.
starts as (
    select comparison, min(created_at) as first_at
    from chosen
    group by comparison
),

not_stored as (
    select asked.comparison, count(*) as results
    from asked
    inner join unstored on unstored.agent_id = asked.agent_id
    left join starts on starts.comparison = asked.comparison
    left join asked_results on asked_results.result_id = unstored.result_id
    where case
        when asked.by_result then asked_results.result_id is not null
        else unstored.created_at >= coalesce(asked.judged_since, starts.first_at)
    end
    group by asked.comparison
),

open_results as (
    select comparison, count(*) as unfinished
    from chosen
    where status_group = 'in_flight'
    group by comparison
),

-- The same without flaky scenarios.
steady as (
    select
        comparison,
        count(*) filter (where flaky) as flaky_scenarios,
        rate(
            sum(case when not flaky then weight * (after_rate - before_rate) end), sum(case when not flaky then weight end)
        ) as steady_difference,
        rate(sum(case when not flaky then after_passed end), sum(case when not flaky then after_runs end))
            as steady_pass_rate
    from judged_scenarios
    group by comparison
),

counted as (
    select
        asked.comparison,
        asked.agent_id,
        asked.max_drop,
        asked.min_pass_rate,
        asked.must_show,
        agents.agent_name,
        coalesce(listed.results, 0) as results,
        coalesce(listed.baseline_results, 0) as baseline_results,
        coalesce(case when asked.metric is null then listed.decided_runs else measured.decided_runs end, 0)
            as decided_runs,
        coalesce(case when asked.metric is null then listed.passed_runs else measured.passed_runs end, 0) as passed_runs,
        coalesce(
            case when asked.metric is null then listed.baseline_decided_runs else measured.baseline_decided_runs end, 0
        ) as baseline_decided_runs,
        coalesce(
            case when asked.metric is null then listed.baseline_passed_runs else measured.baseline_passed_runs end, 0
        ) as baseline_passed_runs,
        coalesce(shared.days, 0) as days,
        coalesce(not_stored.results, 0) as not_stored,
        coalesce(undecided.results, 0) as undecided,
        undecided.first_id as undecided_id,
        coalesce(open_results.unfinished, 0) as unfinished,
        coalesce(steady.flaky_scenarios, 0) as flaky_scenarios,
        steady.comparison is null as no_scenario_known,
        steady.steady_difference,
        steady.steady_pass_rate,
        coalesce(comparisons.shared_scenarios, 0) as shared_scenarios,
        comparisons.adjusted_difference,
        comparisons.adjusted_low,
        comparisons.adjusted_high,
        comparisons.p_value,
        comparisons.smallest_visible_difference,
        comparisons.verdict,
        coalesce(comparisons.no_verdict_because, 'no decided runs on one side') as no_verdict_because
    from asked
    inner join analytics.agents as agents on agents.agent_id = asked.agent_id
    left join listed on listed.comparison = asked.comparison
    left join measured on measured.comparison = asked.comparison
    left join shared on shared.comparison = asked.comparison
    left join not_stored on not_stored.comparison = asked.comparison
    left join undecided on undecided.comparison = asked.comparison
    left join open_results on open_results.comparison = asked.comparison
    left join steady on steady.comparison = asked.comparison
    left join comparisons on comparisons.comparison = asked.comparison
),

rated as (
    select
        *,
        rate(passed_runs, decided_runs) as pass_rate,
        wilson_low(passed_runs, decided_runs) as pass_rate_low,
        wilson_high(passed_runs, decided_runs) as pass_rate_high,
        rate(baseline_passed_runs, baseline_decided_runs) as baseline_pass_rate
    from counted
),

-- Flaky scenarios alone decide nothing: the others must have fallen as well, or be below the minimum.
findings as (
    select
        *,
        coalesce(verdict = 'regressed' and adjusted_difference < -max_drop, false) as fell,
        coalesce(steady_difference < -max_drop, false) as fell_steadily,
        coalesce(pass_rate < min_pass_rate, false) as is_low,
        coalesce(pass_rate_high < min_pass_rate, false) as is_surely_low,
        coalesce(steady_pass_rate < min_pass_rate, no_scenario_known) as is_low_steadily
    from rated
),

explained as (
    select
        *,
        case
            when fell and fell_steadily then 'fell'
            when is_surely_low and is_low_steadily then 'below the minimum'
            when unfinished > 0 then 'results in flight'
            when not_stored > 0 then 'results that could not be stored'
            when undecided > 0 then 'results without decided runs'
            when verdict is null then no_verdict_because
            when verdict = 'same' and smallest_visible_difference > must_show then 'too few runs'
            when fell and steady_difference is null then 'only flaky scenarios'
            when is_low and steady_pass_rate is null and not no_scenario_known then 'only flaky scenarios'
            when is_low and is_low_steadily then 'minimum not proven'
            when fell then 'fell in flaky scenarios'
            when is_low then 'low in flaky scenarios'
            when verdict = 'regressed' then 'fell by less than the limit'
            else verdict
        end as because
    from findings
)

select
    comparison,
    agent_id,
    agent_name,
    case
        when because in ('fell', 'below the minimum') then 'worse'
        when because in (
            'fell in flaky scenarios', 'low in flaky scenarios', 'fell by less than the limit', 'same', 'improved'
        ) then 'passed'
        else 'cannot be judged'
    end as outcome,
    because,
    results,
    decided_runs,
    passed_runs,
    pass_rate,
    pass_rate_low,
    pass_rate_high,
    baseline_results,
    baseline_decided_runs,
    baseline_passed_runs,
    baseline_pass_rate,
    adjusted_difference,
    adjusted_low,
    adjusted_high,
    p_value,
    smallest_visible_difference,
    verdict,
    shared_scenarios,
    flaky_scenarios,
    steady_difference,
    steady_pass_rate,
    days,
    not_stored,
    undecided,
    undecided_id,
    unfinished,
    -- The variance of the difference is proportional to 1 / runs + 1 / baseline runs.
    case
        when because = 'minimum not proven' then runs_needed(passed_runs, decided_runs, min_pass_rate - pass_rate)
        when because = 'too few runs'
            and (rate(1, decided_runs) + rate(1, baseline_decided_runs)) * power(must_show / smallest_visible_difference, 2)
                > rate(1, baseline_decided_runs)
            then cast(
                ceil(
                    1 / (
                        (rate(1, decided_runs) + rate(1, baseline_decided_runs))
                        * power(must_show / smallest_visible_difference, 2)
                        - rate(1, baseline_decided_runs)
                    )
                ) as bigint
            )
    end as runs_needed,
    row_number() over (
        order by
            case when because in ('fell', 'below the minimum') then 0 else 1 end, coalesce(adjusted_difference, 0), comparison
    ) as place
from explained
order by place
