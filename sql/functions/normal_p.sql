-- How often a standard normal value lies further from 0 than z >= 0; relative error below 2e-7.
-- t is 1 / (1 + z / sqrt(8)). W. Press and others, Numerical Recipes (1992), 6.2, erfcc.
with example as (
    select cast(1.959963984540054 as double) as z, cast(0.5906846 as double) as t
)

select
    case
        when z < 0.0000001 then 1 -- where the formula gives a little more
        else t * exp(
            -z * z / 2 - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 + t * (
                0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))))
        )
    end as normal_p
from example
