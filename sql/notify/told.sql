-- One row per receiver and condition that was reported to it and is not yet forgotten.
select receiver, kind, subject, told_at, rate_before, rate
from cekura._told
order by receiver, kind, subject
