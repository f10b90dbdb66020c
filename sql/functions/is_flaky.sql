-- Whether neither outcome is the rule: at least 10 runs, a rate between 0.2 and 0.8, its 95 % interval within 0.1 and 0.9.
with example as (
    select cast(12 as double) as passed, cast(24 as double) as decided
)

select
    coalesce(
        decided >= 10
        and rate(passed, decided) between 0.2 and 0.8
        and wilson_low(passed, decided) > 0.1
        and wilson_high(passed, decided) < 0.9,
        false
    ) as is_flaky
from example
