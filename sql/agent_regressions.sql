-- One row per agent: its latest 10 completed results that have decided runs, against the up to 10 before them.
-- Verdict: improved or regressed when the interval of the difference excludes 0, else same; NULL without a comparison.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

ranked as (
    select
        agent_id,
        created_at,
        decided_runs,
        passed_runs,
        row_number() over (partition by agent_id order by created_at desc, result_id desc) as place
    from analytics.results
    where decided_runs > 0
),

sums as (
    select
        agent_id,
        count(*) filter (where place <= 10) as recent_results,
        coalesce(sum(case when place <= 10 then decided_runs end), 0) as recent_decided_runs,
        coalesce(sum(case when place <= 10 then passed_runs end), 0) as recent_passed_runs,
        min(case when place <= 10 then created_at end) as recent_since,
        count(*) filter (where place > 10) as previous_results,
        coalesce(sum(case when place > 10 then decided_runs end), 0) as previous_decided_runs,
        coalesce(sum(case when place > 10 then passed_runs end), 0) as previous_passed_runs
    from ranked
    where place <= 20
    group by agent_id
),

-- x passes of n, z for 95 %; 1 is the recent results, 2 those before.
counts as (
    select
        *,
        cast(recent_passed_runs as double) as x1,
        nullif(cast(recent_decided_runs as double), 0) as n1,
        cast(previous_passed_runs as double) as x2,
        nullif(cast(previous_decided_runs as double), 0) as n2,
        cast(1.959963984540054 as double) as z
    from sums
),

-- Wilson's score interval: R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
rated as (
    select
        *,
        x1 / n1 as p1,
        (x1 + z * z / 2 - z * sqrt(x1 * (n1 - x1) / n1 + z * z / 4)) / (n1 + z * z) as low1,
        1 - (n1 - x1 + z * z / 2 - z * sqrt(x1 * (n1 - x1) / n1 + z * z / 4)) / (n1 + z * z) as high1,
        x2 / n2 as p2,
        (x2 + z * z / 2 - z * sqrt(x2 * (n2 - x2) / n2 + z * z / 4)) / (n2 + z * z) as low2,
        1 - (n2 - x2 + z * z / 2 - z * sqrt(x2 * (n2 - x2) / n2 + z * z / 4)) / (n2 + z * z) as high2
    from counts
),

-- The difference of two proportions: R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10.
compared as (
    select
        *,
        p1 - p2 as difference,
        p1 - p2 - sqrt((p1 - low1) * (p1 - low1) + (high2 - p2) * (high2 - p2)) as difference_low,
        p1 - p2 + sqrt((high1 - p1) * (high1 - p1) + (p2 - low2) * (p2 - low2)) as difference_high
    from rated
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    coalesce(recent_results, 0) as recent_results, -- how many latest results, 10 at most
    cast(coalesce(recent_decided_runs, 0) as bigint) as recent_decided_runs, -- their runs
    cast(coalesce(recent_passed_runs, 0) as bigint) as recent_passed_runs, -- how many of them passed
    p1 as recent_pass_rate, -- recent_passed_runs / recent_decided_runs
    recent_since, -- when the first of them was triggered
    coalesce(previous_results, 0) as previous_results, -- how many results before them, 10 at most
    cast(coalesce(previous_decided_runs, 0) as bigint) as previous_decided_runs, -- their runs
    cast(coalesce(previous_passed_runs, 0) as bigint) as previous_passed_runs, -- how many of them passed
    p2 as previous_pass_rate, -- previous_passed_runs / previous_decided_runs
    difference, -- recent_pass_rate - previous_pass_rate
    difference_low, -- lower end of Newcombe's 95 % interval of the difference
    difference_high, -- upper end of Newcombe's 95 % interval of the difference
    case
        when difference_low > 0 then 'improved'
        when difference_high < 0 then 'regressed'
        when difference is not null then 'same'
    end as verdict -- improved, same, regressed
from agents
left join compared on compared.agent_id is not distinct from agents.agent_id
