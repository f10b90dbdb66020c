-- Does every stored run, scenario and detail belong to a stored result?
with children as (
    select 'runs' as child, result_id
    from cekura.runs
    union all
    select 'result_scenarios' as child, result_id
    from cekura.result_scenarios
    union all
    select 'details_read' as child, result_id
    from cekura.details_read
)

select children.child, children.result_id, count(*) as orphans
from children
left join cekura.results as parents on parents.id = children.result_id
where parents.id is null
group by children.child, children.result_id
