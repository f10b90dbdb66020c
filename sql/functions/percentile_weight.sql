-- The weight of a value in a percentile. `place` is its position by size, from 0. A percentile lies between two values, and the nearer one weighs more.
-- The percentile is sum(value * percentile_weight(place, last_place, 0.95)). Not every engine has a function for percentiles.
with example as (
    select cast(9 as double) as place, cast(10 as double) as last_place, cast(0.95 as double) as share
)

select greatest(0, 1 - abs(place - share * last_place)) as percentile_weight
from example
