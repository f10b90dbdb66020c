-- The share of a whole, 0 to 1; NULL if there is nothing to divide by.
with example as (
    select cast(8 as double) as part, cast(10 as double) as whole
)

select part / nullif(whole, 0) as rate
from example
