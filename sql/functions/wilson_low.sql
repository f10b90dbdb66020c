-- The lower end of Wilson's 95 % score interval of passed / decided; NULL where nothing was decided.
-- R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
with example as (
    select cast(8 as double) as passed, cast(10 as double) as decided
)

select
    (
        passed + z95() * z95() / 2
        - z95() * sqrt(passed * (decided - passed) / nullif(decided, 0) + z95() * z95() / 4)
    ) / (decided + z95() * z95()) as wilson_low
from example
