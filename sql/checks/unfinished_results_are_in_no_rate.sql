-- Does a result that is in flight, cancelled or failed by its infrastructure never count towards a pass rate?
select result_id, status, decided_runs, passed_runs
from analytics.results
where status_group <> 'completed'
    and (coalesce(decided_runs, 1) <> 0 or coalesce(passed_runs, 1) <> 0)
