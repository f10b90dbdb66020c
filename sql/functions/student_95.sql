-- Student's t quantile for 95 % confidence with `degrees` degrees of freedom, from 4 on correct to 4 digits.
-- M. Abramowitz and I. Stegun, Handbook of Mathematical Functions (1964), 26.7.5.
with example as (
    select cast(33 as double) as degrees
)

select
    1.959963984540054 + (2.372271230298562 + (2.8224986157396112 + (2.555849679507722 + 1.5895340533938225 / degrees)
        / degrees) / degrees) / degrees as student_95
from example
