-- Are passed runs never negative, never more than decided runs, and unknown only together with decided runs?
select result_id, decided_runs, passed_runs
from analytics.results
where passed_runs > decided_runs
    or passed_runs < 0
    or (passed_runs is null) <> (decided_runs is null)
