-- How much the value at a place, counted from 0 by size, adds to a percentile: it lies between two neighbours and takes from each the
-- more the nearer it is. The percentile is sum(value * percentile_weight(place, last_place, 0.95)); not every engine has a word for it.
with example as (
    select cast(9 as double) as place, cast(10 as double) as last_place, cast(0.95 as double) as share
)

select greatest(0, 1 - abs(place - share * last_place)) as percentile_weight
from example
