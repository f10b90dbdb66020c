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

compared as (
    select
        *,
        rate(recent_passed_runs, recent_decided_runs) - rate(previous_passed_runs, previous_decided_runs) as difference,
        newcombe_low(recent_passed_runs, recent_decided_runs, previous_passed_runs, previous_decided_runs)
            as difference_low,
        newcombe_high(recent_passed_runs, recent_decided_runs, previous_passed_runs, previous_decided_runs)
            as difference_high
    from sums
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    coalesce(recent_results, 0) as recent_results, -- how many latest results, 10 at most
    cast(coalesce(recent_decided_runs, 0) as bigint) as recent_decided_runs, -- their runs
    cast(coalesce(recent_passed_runs, 0) as bigint) as recent_passed_runs, -- how many of them passed
    rate(recent_passed_runs, recent_decided_runs) as recent_pass_rate, -- recent_passed_runs / recent_decided_runs
    recent_since, -- when the first of them was triggered
    coalesce(previous_results, 0) as previous_results, -- how many results before them, 10 at most
    cast(coalesce(previous_decided_runs, 0) as bigint) as previous_decided_runs, -- their runs
    cast(coalesce(previous_passed_runs, 0) as bigint) as previous_passed_runs, -- how many of them passed
    rate(previous_passed_runs, previous_decided_runs) as previous_pass_rate, -- previous_passed_runs / previous_decided_runs
    difference, -- recent_pass_rate - previous_pass_rate
    difference_low, -- lower end of Newcombe's 95 % interval of the difference
    difference_high, -- upper end of Newcombe's 95 % interval of the difference
    verdict(difference_low, difference_high) as verdict -- improved, same, regressed
from agents
left join compared on compared.agent_id is not distinct from agents.agent_id
