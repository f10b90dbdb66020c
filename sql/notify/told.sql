-- One row per receiver and thing that it has been told and that has not been forgotten.
select receiver, kind, subject, told_at, rate_before, rate
from cekura._told
order by receiver, kind, subject
