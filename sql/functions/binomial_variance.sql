-- The variance of one run that passes at the rate passed / decided: p * (1 - p).
with example as (
    select cast(8 as double) as passed, cast(10 as double) as decided
)

select passed * (decided - passed) / nullif(decided * decided, 0) as binomial_variance
from example
