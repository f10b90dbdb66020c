-- The upper end of the 95 % interval of the difference passed / decided - previous_passed / previous_decided.
-- R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10.
with example as (
    select
        cast(8 as double) as passed,
        cast(10 as double) as decided,
        cast(5 as double) as previous_passed,
        cast(10 as double) as previous_decided
)

select -newcombe_low(previous_passed, previous_decided, passed, decided) as newcombe_high
from example
