-- Is sync_status exactly one row?
select count(*) as rows
from analytics.sync_status
having count(*) <> 1
