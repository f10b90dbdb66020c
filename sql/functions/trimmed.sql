-- The text without spaces, tabs and line breaks at its ends.
with example as (
    select cast(' no answer ' as varchar) as words
)

select trim(words, ' ' || chr(9) || chr(10) || chr(13)) as trimmed
from example
