-- What the interval of a difference says: improved or regressed where it excludes 0, else same; NULL without a comparison.
with example as (
    select cast(-0.3 as double) as difference_low, cast(-0.1 as double) as difference_high
)

select
    case
        when difference_low > 0 then 'improved'
        when difference_high < 0 then 'regressed'
        when difference_low is not null then 'same'
    end as verdict
from example
