-- Is the id of every run of a live result unique?
select run_id, count(*) as shown
from analytics.runs
group by run_id
having count(*) > 1 or run_id is null
