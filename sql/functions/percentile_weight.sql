-- The weight in a percentile of the value at a place, counted from 0 by size: the percentile lies between two neighbours, and the nearer
-- one weighs more. The percentile is sum(value * percentile_weight(place, last_place, 0.95)); not every engine has a function for it.
with example as (
    select cast(9 as double) as place, cast(10 as double) as last_place, cast(0.95 as double) as share
)

select greatest(0, 1 - abs(place - share * last_place)) as percentile_weight
from example
