-- One row per reported fall that is over, so that another one can be reported. Agents: no longer worse, and at least half way up to the
-- rate before the fall; a fall that has only become part of the weeks before is not over. Scenarios: their newest two runs passed.
with placed as (
    select
        coalesce(cast(agent_id as varchar), '-') || ' ' || md5(scenario_key) as subject,
        passed,
        row_number() over (partition by agent_id, scenario_key order by created_at desc, run_id desc) as place
    from analytics.runs
    where passed is not null and scenario_key is not null
),

passing as (
    select subject
    from placed
    where place <= 2
    group by subject
    having count(*) filter (where passed) = 2
)

select
    told.receiver,
    told.kind,
    told.subject,
    week.agent_id,
    week.agent_name,
    told.rate_before,
    told.rate as rate_then,
    week.pass_rate as rate,
    cast(week.decided_runs as bigint) as runs
from cekura._told as told
inner join analytics.agent_last_week as week on coalesce(cast(week.agent_id as varchar), '-') = told.subject
where told.kind = 'regressed'
    and week.verdict is distinct from 'regressed'
    and week.pass_rate >= (told.rate_before + told.rate) / 2
union all
select
    told.receiver,
    told.kind,
    told.subject,
    cast(null as bigint),
    cast(null as varchar),
    told.rate_before,
    told.rate,
    cast(null as double),
    cast(null as bigint)
from cekura._told as told
inner join passing on passing.subject = told.subject
where told.kind = 'newly failing'
order by receiver, kind, subject
