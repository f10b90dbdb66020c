-- The text; NULL if it is empty or all spaces.
with example as (
    select cast('Refund' as varchar) as words
)

select case when trim(words) <> '' then words end as not_blank
from example
