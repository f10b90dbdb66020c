-- The text; NULL if it is empty or has only spaces, tabs and line breaks.
with example as (
    select cast('Refund' as varchar) as words
)

select case when trimmed(words) <> '' then words end as not_blank
from example
