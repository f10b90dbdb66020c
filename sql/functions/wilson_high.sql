-- The upper end of Wilson's 95 % score interval of passed / decided: 1 minus the lower end for failures.
-- R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
with example as (
    select cast(8 as double) as passed, cast(10 as double) as decided
)

select 1 - wilson_low(decided - passed, decided) as wilson_high
from example
