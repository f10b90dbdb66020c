-- One row: the number of runs of finished results, and of how many of them the details were read.
select
    count(*) as runs,
    count(details.run_id) as read
from analytics.runs as runs
left join analytics.run_details as details on details.run_id = runs.run_id
where runs.result_status_group <> 'in_flight'
