-- Are there never more passed than decided runs, never fewer than none, and both known or both unknown?
select result_id, decided_runs, passed_runs
from analytics.results
where passed_runs > decided_runs
    or passed_runs < 0
    or (passed_runs is null) <> (decided_runs is null)
