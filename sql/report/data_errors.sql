-- One row per finding that may make figures wrong, the one with the most rows first. The page names each.
select finding, rows, example, meaning
from analytics.data_quality
where severity = 'error'
order by rows desc, finding
