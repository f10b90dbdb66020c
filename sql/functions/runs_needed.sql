-- How many runs make Wilson's 95 % interval reach half_width to either side, at the rate passed / decided.
-- Wilson's formula, solved for the number of runs (see wilson_low). Without runs ClickHouse would cast infinity.
with example as (
    select cast(8 as double) as passed, cast(10 as double) as decided, cast(0.05 as double) as half_width
)

select
    case
        when decided > 0 then cast(
            ceil(
                z95() * z95() / (2 * half_width * half_width) * (
                    binomial_variance(passed, decided) - 2 * half_width * half_width
                    + sqrt(
                        power(binomial_variance(passed, decided), 2)
                        - 4 * binomial_variance(passed, decided) * half_width * half_width
                        + half_width * half_width
                    )
                )
            ) as bigint
        )
    end as runs_needed
from example
