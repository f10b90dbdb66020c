-- Is every result that has details noted as read, and noted as read with transcripts if it has turns of one?
with details as (
    select 'run_details' as detail, result_id, false as spoken
    from cekura.run_details
    union all
    select 'run_metrics' as detail, result_id, false as spoken
    from cekura.run_metrics
    union all
    select 'expected_outcomes' as detail, result_id, false as spoken
    from cekura.expected_outcomes
    union all
    select 'result_metrics' as detail, result_id, false as spoken
    from cekura.result_metrics
    union all
    select 'failed_reasons' as detail, result_id, false as spoken
    from cekura.failed_reasons
    union all
    select 'transcript_turns' as detail, result_id, true as spoken
    from cekura.transcript_turns
)

select details.detail, details.result_id, count(*) as rows
from details
left join cekura.details_read as reads on reads.result_id = details.result_id
where reads.result_id is null
    or (details.spoken and not coalesce(reads.with_transcripts, false))
group by details.detail, details.result_id
