-- Student's t quantile that 80 % of the distribution lie below, with `degrees` degrees of freedom, from 4 on.
-- M. Abramowitz and I. Stegun, Handbook of Mathematical Functions (1964), 26.7.5.
with example as (
    select cast(33 as double) as degrees
)

select
    0.8416212335729143 + (0.35944092215625445 + (0.1476506237629083 + (0.016745854751890346
        - 0.011559163026144157 / degrees) / degrees) / degrees) / degrees as student_80
from example
