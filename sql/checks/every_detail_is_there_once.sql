-- Is every result noted as read only once, every run described only once, and every metric measured only once, in a run that is described?
select 'details_read' as detail, result_id, cast(null as bigint) as run_id, count(*) as rows
from cekura.details_read
group by result_id
having count(*) > 1
union all
select 'run_details' as detail, result_id, run_id, count(*) as rows
from cekura.run_details
group by result_id, run_id
having count(*) > 1 or run_id is null
union all
select 'run_metrics' as detail, metrics.result_id, metrics.run_id, count(*) as rows
from cekura.run_metrics as metrics
left join cekura.run_details as runs on runs.result_id = metrics.result_id and runs.run_id = metrics.run_id
group by metrics.result_id, metrics.run_id, metrics.metric_id, metrics.name
having count(*) > 1 or count(runs.run_id) = 0
union all
select 'analytics.run_details' as detail, min(result_id) as result_id, run_id, count(*) as rows
from analytics.run_details
group by run_id
having count(*) > 1
