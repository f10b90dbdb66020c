-- One row per scenario that newly fails or was fixed: by the last result if it shows that, otherwise by the last week.
with ranked as (
    select
        *,
        row_number() over (
            partition by agent_id, scenario_key
            order by case when basis = 'last result' then 0 else 1 end
        ) as place
    from analytics.new_failures
)

select
    ranked.agent_id,
    ranked.agent_name,
    ranked.scenario_id,
    ranked.scenario_name,
    ranked.verdict,
    ranked.basis,
    ranked.previous_pass_rate,
    ranked.previous_decided_runs,
    ranked.pass_rate,
    ranked.decided_runs,
    ranked.result_id,
    ranked.run_id,
    results.project_id
from ranked
inner join analytics.results as results on results.result_id = ranked.result_id
where ranked.place = 1
order by case when ranked.verdict = 'fixed' then 1 else 0 end, ranked.created_at desc, ranked.agent_id, ranked.scenario_id
