"""Takes one safeguard after another out of a copy of the product, and asks the tests whether they notice. For people to run:

    python tests/mutation_check.py [NAME ...]

Exits 1 when a mutant survives. A text that is not found exactly once is an error: the mutation has to follow the code.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PROMISE, KILL, FAULTS = (
    "tests/promises/test_promise.py",
    "tests/promises/test_kill.py",
    "tests/promises/test_faults.py",
)
READING = "tests/promises/test_reading.py"
JOURNAL = "tests/promises/test_journal.py"
COUNT, SCOPES = "tests/promises/test_count.py", "tests/commands/test_status_scopes.py"
CLOCK = "tests/promises/test_clock.py"
DETAILS = "tests/promises/test_details.py"
NEWS = "tests/notify/test_notify.py"
PERSONAL = "tests/promises/test_personal_data.py"
COUNTS, GATE = "tests/warehouse/test_stored_counts.py", "tests/gate/test_judgement.py"
ENGINE, ENGINE_KILL = "tests/postgres/test_postgres.py", "tests/postgres/test_postgres_kill.py"
LISTING, SYNC, WAREHOUSE = (
    "tests/api/test_listing.py",
    "tests/promises/test_sync.py",
    "tests/warehouse/test_warehouse.py",
)
MANY = (PROMISE, FAULTS, LISTING, SYNC)


@dataclass(frozen=True)
class Mutation:
    """`edits`: file, text, and what stands in its place. `tests`: files, or tests of them, asked in this order until one is red."""

    name: str
    edits: tuple[tuple[str, str, str], ...]
    tests: tuple[str, ...] = MANY


MUTATIONS = (
    Mutation(
        "count: a list that is shorter than a dependable count passes",
        (("diff/counted.py", "if past.count_is_dependable and", "if False and"),),
        (COUNT,),
    ),
    Mutation(
        "end: an empty list is believed at once",
        (("api/ends.py", " and not self._exists(Window(1, max(1, window.size - 1)))", ""),),
        (
            "tests/api/test_listing.py::test_a_listing_of_one_page_costs_two_requests_and_one_more_where_it_is_full",
        ),
    ),
    Mutation(
        "journal: one that holds nothing is worth a warning",
        (("diff/journal.py", '            return ""  # nothing was read\n', "            pass\n"),),
        ("tests/promises/test_journal.py::test_a_sync_that_read_nothing_leaves_nothing_to_warn_of",),
    ),
    Mutation(
        "count: any count is believed",
        (("diff/counted.py", "if past.count_is_dependable and", "if"),),
        (COUNT,),
    ),
    Mutation(
        "commit: the team's views do not move to a new file",
        (("warehouse/copy.py", "team.restore_views(self._con)", "pass"),),
        ("tests/models/test_team_models.py",),
    ),
    Mutation(
        "commit: one that is no sync forgets the syncs that wait",
        (("warehouse/file.py", "            if pending:\n", "            if False:\n"),),
        ("tests/warehouse/test_small_changes.py",),
    ),
    Mutation(
        "views: those of others under our names are replaced",
        (("views.py", "if others := sorted(present - built.keys()):", "if others := []:"),),
        ("tests/source/test_views_elsewhere.py::test_views_and_tables_of_others_under_our_names_stay",),
    ),
    Mutation(
        "news: a condition that holds is never told again",
        (("notify/news.py", "return not has_faded and _thing", "return _thing"),),
        (NEWS,),
    ),
    Mutation(
        "gate: the clock of this machine alone says what hangs",
        (("gate/waiting.py", "began - max(ahead, timedelta())", "began"),),
        ("tests/gate/test_gate.py",),
    ),
    Mutation(
        "compare: a result that runs again has been in flight since it was created",
        (("diff/compare.py", "when parsed.is_open then $started end", "end"),),
        ("tests/gate/test_gate.py",),
    ),
    Mutation(
        "clock: a sync of the future is the last one",
        (
            ("diff/history.py", "and started is not None and started <= now", ""),
            ("diff/history.py", " filter (started_at <= $1)", ""),
        ),
        (CLOCK,),
    ),
    Mutation(
        "clock: the later of two clocks is always right",
        (
            (
                "diff/scan.py",
                "return max(here, theirs) if is_late else min(here, theirs)",
                "return max(here, theirs)",
            ),
        ),
        (CLOCK,),
    ),
    Mutation(
        "status: only the last sync is judged",
        (
            (
                "warehouse/scopes.py",
                "asked = [scope.filters for scope in scopes if",
                "asked = [scope.filters for scope in scopes[-1:] if",
            ),
        ),
        (SCOPES,),
    ),
    Mutation(
        "stitching: any window joins",
        (("api/paging.py", "if window.start and not self._is_linked(rows):", "if False:"),),
        (LISTING, PROMISE),
    ),
    Mutation(
        "stitching: windows do not overlap",
        (
            ("api/paging.py", "(read - repeated) // size + 1", "read // size + 1"),
            ("api/paging.py", "if window.start and not self._is_linked(rows):", "if False:"),
        ),
        (LISTING, PROMISE),
    ),
    Mutation(
        "stitching: a row that moved is a link",
        (
            (
                "api/paging.py",
                "return row.created > self.floor and place is not None and place.created == row.created",
                "return place is not None",
            ),
        ),
        (LISTING,),
    ),
    Mutation(
        "stitching: the floor itself is a link",
        (("api/paging.py", "return row.created > self.floor and", "return row.created >= self.floor and"),),
        (LISTING,),
    ),
    Mutation(
        "a cut page stands where a whole one would",
        (("api/ends.py", "        self._lowered += 1\n", "        return window\n"),),
        (LISTING,),
    ),
    Mutation(
        "one end is enough",
        (
            (
                "api/ends.py",
                "if stopped is None or new or before is None or stopped[0] != before[0]:",
                "if stopped is None:",
            ),
        ),
        (LISTING,),
    ),
    Mutation(
        "one question twice is enough for the end",
        (("api/ends.py", "else stopped != before", "else True"),),
        (LISTING,),
    ),
    Mutation(
        "a whole page and one with room are enough for the end",
        (
            (
                "api/ends.py",
                "stopped = (last.created or last.key, window.page, len(page.rows)) if has_room else None",
                "stopped = (last.created or last.key, window.page, len(page.rows))",
            ),
            ("api/ends.py", "if stopped is None or new", "if not has_room or new"),
        ),
        (LISTING,),
    ),
    Mutation(
        "passes: the same windows",
        (
            ("api/listing.py", "PASS_SIZES = (1.0, 0.8, 0.9, 0.7)", "PASS_SIZES = (1.0, 1.0, 1.0, 1.0)"),
            ("api/listing.py", "max(1, size - (size == served))", "size"),
        ),
        (LISTING,),
    ),
    Mutation(
        "passes: a size that the server cuts is another question",
        (("api/listing.py", "cap = min(cap, served or cap)", "pass"),),
        (LISTING,),
    ),
    Mutation(
        "passes: a row in two places is no sign",
        (("api/passes.py", "self._moved |= row.key in self._seen", "self._moved |= False"),),
        (LISTING,),
    ),
    Mutation(
        "passes: a row on two pages is one that the list doubles",
        (("api/passes.py", "return self._moved or not self._cut <= self._doubled", "return self._moved"),),
        (LISTING,),
    ),
    Mutation(
        "times: only Python reads them",
        (("api/times.py", "else _in_duckdb(value)", "else _in_python(value)"),),
        ("tests/api/test_times.py",),
    ),
    Mutation(
        "an earlier reading: it may be anywhere",
        (("api/listing.py", "if self.chain.is_in_place(window, rows):", "if True:"),),
        (LISTING,),
    ),
    Mutation(
        "an earlier reading: the top need not meet it",
        (("api/listing.py", "if self.chain.meets_earlier(window, rows):", "if True:"),),
        (LISTING,),
    ),
    Mutation(
        "an earlier reading: what came since is not read",
        (
            (
                "api/listing.py",
                "not page.has_next or self._earlier is Earlier.TO_BE_MET else end",
                "not page.has_next else end",
            ),
        ),
        (LISTING,),
    ),
    Mutation(
        "journal: the chain before its rows",
        (
            (
                "diff/journal.py",
                "            take()\n            if self._con is None or chain is None:\n                return\n",
                "            if self._con is None or chain is None:\n                return take()\n",
            ),
            (
                "diff/journal.py",
                """self._con.execute("insert into journal.states values ($1)", [text])\n""",
                """self._con.execute("insert into journal.states values ($1)", [text])\n        take()\n""",
            ),
        ),
        (f"{JOURNAL}::test_a_sync_killed_before_it_has_compared_what_it_read_reads_that_again",),
    ),
    Mutation(
        "journal: what was found by id stays",
        (("diff/compare.py", "        self.changeset.keep_only_listed()\n", ""),),
        (f"{JOURNAL}::test_a_row_that_was_found_by_its_address_is_read_again_where_the_list_shows_it_now",),
    ),
    Mutation(
        "journal: loading empties it",
        (
            (
                "diff/changeset.py",
                """self._con.execute(f"set memory_limit = '{SET_ASIDE}'")""",
                "self.clear()",
            ),
        ),
        (f"{JOURNAL}::test_a_sync_killed_while_it_writes_is_taken_up_too",),
    ),
    Mutation(
        "journal: of any sync",
        (("diff/journal.py", "if hidden[name] != theirs.get(name)", "if False"),),
        (f"{JOURNAL}::test_a_journal_of_another_key_is_dropped_with_a_word",),
    ),
    Mutation(
        "journal: however old",
        (
            (
                "diff/journal.py",
                "if not timedelta(0) <= self._now - datetime.fromisoformat(started) < KEPT:",
                "if False:",
            ),
        ),
        (f"{JOURNAL}::test_a_journal_is_too_old_after_a_day",),
    ),
    Mutation(
        "journal: damaged blocks are found late",
        (("diff/journal.py", "        self._require_sound_blocks()\n", ""),),
        (f"{JOURNAL}::test_a_journal_that_does_not_fit_is_dropped_with_a_word",),
    ),
    Mutation(
        "journal: the sync begins with its last start",
        (("sync.py", "started=journal.reading.started or now,", "started=now,"),),
        (f"{JOURNAL}::test_the_next_sync_goes_on_where_a_first_one_was_interrupted",),
    ),
    Mutation(
        "journal: whether the sync is full is asked as of its first start",
        (("diff/scan.py", "full = journal.outlives or wants_full(", "full = wants_full("),),
        (f"{JOURNAL}::test_a_full_sync_that_was_asked_for_is_continued_as_one_when_the_next_is_due",),
    ),
    Mutation(
        "journal: it stays when the sync is done",
        (("sync.py", "            journal.remove()\n            _tell(", "            _tell("),),
        (f"{JOURNAL}::test_the_next_sync_goes_on_where_a_first_one_was_interrupted",),
    ),
    Mutation(
        "journal: erase leaves it",
        (
            (
                "warehouse/file.py",
                "interrupted = journal.remove(self.files.journal)",
                "interrupted = False",
            ),
        ),
        (f"{JOURNAL}::test_erase_removes_the_journal_even_before_there_is_a_warehouse",),
    ),
    Mutation(
        "journal: it holds passes that nobody can continue",
        (("diff/scan.py", "chain if listing.can_be_continued else None", "chain"),),
        (f"{JOURNAL}::test_a_reading_of_a_list_without_an_order_is_not_continued",),
    ),
    Mutation(
        "quick reading: nothing is doubted",
        (
            (
                "diff/scan.py",
                "doubt = why_to_read_everything(api, listing, comparison, count_is_dependable=dependable)",
                "doubt = None",
            ),
        ),
        (READING,),
    ),
    Mutation(
        "quick reading: old rows that are new are no sign",
        (("diff/doubts.py", "if late := comparison.absent.new_below(listing.horizon):", "if late := 0:"),),
        (f"{READING}::test_an_import_that_is_newer_than_all_that_is_known_does_not_end_a_quick_reading",),
    ),
    Mutation(
        "agent: what another one got is left out",
        (
            (
                "diff/compare.py",
                '" and id not in (select id from base.cekura.results where agent = $1) returning id"',
                '" returning id"',
            ),
        ),
        (READING,),
    ),
    Mutation(
        "in flight: only of a scope that can be judged",
        (
            (
                "diff/absent.py",
                "covered = self._covered if self.is_judged else self._all_live",
                "covered = self._covered",
            ),
        ),
        (READING,),
    ),
    Mutation(
        "in flight: whoever reads it marks it",
        (("diff/missing.py", "(id_ in not_judged or not comparison.absent.is_judged)", "id_ in not_judged"),),
        (f"{READING}::test_a_deleted_row_in_flight_is_left_to_the_scope_that_can_judge_it", READING),
    ),
    Mutation(
        "in flight: what has aged out is deleted",
        (("diff/missing.py", "not_judged={*silent, *too_old}", "not_judged={*silent}"),),
        (f"{PROMISE}::test_a_result_in_flight_that_ages_out_is_left_to_the_next_full_sync",),
    ),
    Mutation(
        "silent: a listed result that its own address denies is deleted",
        (
            (
                "diff/missing.py",
                "(id_ in not_judged or not comparison.absent.is_judged)",
                "not comparison.absent.is_judged",
            ),
        ),
        (f"{PROMISE}::test_a_listed_result_that_its_own_address_denies_is_not_deleted",),
    ),
    Mutation(
        "silent: runs that the list leaves out are not asked for",
        (("diff/silent.py", "MOST = 1000", "MOST = 0"),),
        (f"{PROMISE}::test_runs_that_were_stored_are_followed_although_the_list_shows_none",),
    ),
    Mutation(
        "silent: what the address brought is not what was listed",
        (("diff/compare.py", "        self.silent.settle()\n", ""),),
        (f"{PROMISE}::test_runs_that_were_stored_are_followed_although_the_list_shows_none",),
    ),
    Mutation(
        "a run changes hands at each sync",
        (("diff/contested.py", "    if _found(con, _IN_THE_END):", "    if False:"),),
        (
            f"{READING}::test_a_run_that_two_results_list_belongs_to_the_newer_one_and_is_settled_once",
            READING,
        ),
    ),
    Mutation(
        "a run stays with a newer result that is gone",
        (("diff/contested.py", " and result_id not in (select id from gone)", ""),),
        (
            f"{READING}::test_a_run_of_two_results_goes_back_to_the_older_one_when_the_newer_one_has_it_no_more",
        ),
    ),
    Mutation(
        "what was erased and came back stays",
        (("warehouse/file.py", "if self._held.is_ours() and erase.came_back(con):", "if False:"),),
        ("tests/warehouse/test_versions.py",),
    ),
    Mutation(
        "our clock is right",
        (("diff/scan.py", "        _require_a_clock_that_is_right(comparison, now, progress)\n", ""),),
        (f"{READING}::test_a_clock_that_is_a_year_ahead_of_the_api_changes_nothing", READING),
    ),
    Mutation(
        "any share of rows may be bad",
        (("diff/scan.py", "if read >= FEW_ROWS and comparison.rejected.count > read / 2:", "if False:"),),
        (f"{READING}::test_a_list_most_of_whose_rows_cannot_be_taken_is_refused", READING),
    ),
    Mutation(
        "rejected rows without an id stay",
        (("diff/scan.py", "            comparison.changeset.mark_read_in_full()\n", "            pass\n"),),
        (
            f"{READING}::test_a_rejected_row_that_is_listed_no_more_ends_with_the_reading_that_shows_it",
            READING,
        ),
    ),
    Mutation(
        "in-flight re-read",
        (("diff/missing.py", "{*in_flight, *missing, *aged}", "{*missing, *aged}"),),
        (
            f"{PROMISE}::test_a_result_in_flight_below_the_lookback_is_followed_until_its_end",
            *MANY,
        ),
    ),
    Mutation(
        "comparison: updated_at decides",
        (
            (
                "diff/compare.py",
                "when parsed.id in (select id from differing)",
                "when known.updated_at is distinct from parsed.updated_at",
            ),
        ),
        (f"{SYNC}::test_runs_that_are_dropped_from_a_live_result_leave_no_orphan", *MANY),
    ),
    Mutation(
        "comparison: a known id is enough",
        (("diff/compare.py", " and known._digest = received._digest", ""),),
        (
            f"{SYNC}::test_a_quick_sync_brings_exactly_what_was_inserted_and_edited",
            *MANY,
        ),
    ),
    Mutation(
        "comparison: fields only",
        (
            (
                "diff/differing.py",
                'yield f"select result_id from ({one} except {other})"',
                'yield f"select result_id from ({one}) limit 0"',
            ),
        ),
        (
            f"{SYNC}::test_runs_that_are_dropped_from_a_live_result_leave_no_orphan",
            *MANY,
        ),
    ),
    Mutation(
        "lookback",
        (("diff/history.py", "(min(starts) - lookback - EPOCH)", "(min(starts) - EPOCH)"),),
        (SYNC,),
    ),
    Mutation(
        "delete confirmation: absence is enough",
        (
            (
                "diff/missing.py",
                "        answers.add(id_, row)\n",
                "        answers.add(id_, None if id_ in missing else row)\n",
            ),
        ),
        (f"{FAULTS}::test_results_by_id_and_deletions", *MANY),
    ),
    Mutation(
        "canary",
        (
            (
                "diff/missing.py",
                "if answers.deleted or len(answers.failed) > 1:",
                "if len(answers.failed) > 1:",
            ),
        ),
        (f"{FAULTS}::test_results_by_id_and_deletions", FAULTS, SYNC, PROMISE),
    ),
    Mutation(
        "by id: each failure ends the sync",
        (("diff/missing.py", "if any(isinstance", "if error is None and any(isinstance"),),
        (f"{FAULTS}::test_results_by_id_and_deletions", FAULTS),
    ),
    Mutation(
        "by id: an API that is down is each record's own trouble",
        (("diff/missing.py", "if any(isinstance", "if error or any(isinstance"),),
        (f"{FAULTS}::test_results_by_id_and_deletions", FAULTS),
    ),
    Mutation(
        "details: an API that is down is each record's own trouble",
        (("api/endpoints.py", "if self.page(Window(1, 1)).result() is None:", "if False:"),),
        (f"{DETAILS}::test_a_fault_in_the_middle_of_the_details_changes_nothing", DETAILS),
    ),
    Mutation(
        "fields: names end as they are cut",
        (("diff/naming.py", '.rstrip("_") + suffix', " + suffix"),),
        ("tests/diff/test_naming.py",),
    ),
    Mutation(
        "fields: as many columns as there are fields",
        (("diff/naming.py", "MAX_FIELDS = 300", "MAX_FIELDS = 3000"),),
        (f"{ENGINE}::test_a_row_with_hundreds_of_new_fields_fits", ENGINE),
    ),
    Mutation(
        "comparison: JSON as it is spelled",
        (("diff/spelling.py", "return spelled(as_stored(row, raw)),", "return raw,"),),
        ("tests/diff/test_records.py",),
    ),
    Mutation(
        "comparison: of two ids only the last",
        (
            (
                "diff/spelling.py",
                "_first_id(raw)\n        except",
                "bigint(identity(row.get('id')))\n        except",
            ),
        ),
        ("tests/diff/test_records.py",),
    ),
    Mutation(
        "personal data: a text of fields begins at its first character",
        (("api/personal.py", "text = value.lstrip(WHITESPACE)", "text = value"),),
        ("tests/api/test_personal.py",),
    ),
    Mutation(
        "personal data: only bare texts of fields are looked for",
        (("api/forms.py", "[{[\\\\]')", "[{[]')"),),
        ("tests/diff/test_records.py",),
    ),
    Mutation(
        "personal data: what nobody can read stays as it is",
        (("api/personal.py", "return text if first is None else plain[:first]", "return text"),),
        ("tests/api/test_personal.py",),
    ),
    Mutation(
        "personal data: a row that cannot be stored has no age",
        (
            (
                "diff/said.py",
                'personal_data.of_time(microseconds(own_field(raw, "created_at")))',
                "personal_data",
            ),
        ),
        (f"{PERSONAL}::test_what_was_removed_for_its_age_comes_back_when_it_may_be_older",),
    ),
    Mutation(
        "personal data: a row that is written once more is the base's",
        (("diff/forget.py", 'return f"select *{replaced} from base', 'return f"select * from base'),),
        (PERSONAL,),
    ),
    Mutation(
        "personal data: runs that are written once more are the base's",
        (
            (
                "diff/forget.py",
                "for key, one in _said(con) if one.table == table",
                'for key, one in _said(con) if one.table == table == "results"',
            ),
        ),
        (f"{PERSONAL}::test_what_the_list_said_of_an_older_result_comes_back_with_the_next_full_reading",),
    ),
    Mutation(
        "comparison: a row that nobody can read is stored as it came",
        (("diff/spelling.py", "return _UNREADABLE, None", "return raw, _first_id(raw)"),),
        ("tests/diff/test_records.py",),
    ),
    Mutation(
        "erase: any agent in a row's text",
        (("diff/said.py", "    if row is None:\n        found", "    if True:\n        found"),),
        ("tests/warehouse/test_erase.py",),
    ),
    Mutation(
        "erase: a long row is cut where it is",
        (("diff/rejected.py", "with_own_fields_first(raw, TOLD_BY)[:MAX_RAW]", "raw[:MAX_RAW]"),),
        ("tests/warehouse/test_erase.py",),
    ),
    Mutation(
        "engine: a signal waits for a slow commit",
        (("warehouse/postgres/session.py", "and stop_signals.waiting and", "and False and"),),
        (f"{ENGINE}::test_a_slow_commit_is_given_up_when_the_sync_is_asked_to_stop", ENGINE),
    ),
    Mutation(
        "engine: the encoding of the role",
        (("warehouse/postgres/session.py", 'connection.set_client_encoding("UTF8")', "pass"),),
        (f"{ENGINE}::test_what_a_database_sets_for_its_sessions_does_not_count", ENGINE),
    ),
    Mutation(
        "aged out: one wrong date decides",
        (("diff/absent.py", " or id < (select min(id) from listed)", ""),),
        (f"{FAULTS}::test_a_result_with_a_wrong_date_takes_no_history_away", FAULTS),
    ),
    Mutation(
        "aged out: judged again by any list",
        (("diff/absent.py", " where scope <> '{}')", ")"),),
        (f"{FAULTS}::test_results_that_the_vendor_no_longer_keeps_have_aged_out_and_stay", FAULTS),
    ),
    Mutation(
        "aged out: the brake counts it",
        (("diff/missing.py", "counted += row is None and id_ not in not_counted", "counted += row is None"),),
        (
            f"{FAULTS}::test_what_has_aged_out_by_the_list_of_one_agent_is_judged_again_by_the_list_of_all",
            FAULTS,
        ),
    ),
    Mutation(
        "journal: what waits is lost",
        (("diff/scan.py", "if journal.outlives:  # the next", "if False:  # the next"),),
        (f"{JOURNAL}::test_a_reading_far_smaller_than_a_batch_is_continued_too", JOURNAL),
    ),
    Mutation(
        "journal: only full batches are noted",
        (("diff/scan.py", "or time.monotonic() - self._began >= BATCH_SECONDS", ""),),
        (f"{JOURNAL}::test_a_reading_far_smaller_than_a_batch_is_continued_too", JOURNAL),
    ),
    Mutation(
        "brake",
        (("diff/missing.py", "if counted > limit:", "if False:"),),
        (f"{FAULTS}::test_results_by_id_and_deletions", *MANY),
    ),
    Mutation(
        "brake: nothing listed is fine",
        (("diff/missing.py", "and not listed and not allow_mass_delete:", "and False:"),),
        (f"{FAULTS}::test_results_by_id_and_deletions", FAULTS, SYNC, PROMISE),
    ),
    Mutation(
        "swap: a cut one is forgotten",
        (("warehouse/swap.py", "            self._settle_swap()\n", "            pass\n"),),
        (
            f"{KILL}::test_a_sync_killed_after_the_published_file_was_replaced_has_happened",
            KILL,
            WAREHOUSE,
            PROMISE,
        ),
    ),
    Mutation(
        "swap: its record stays open",
        (("warehouse/swap.py", "        self._record(generation, published)\n", ""),),
        (
            f"{KILL}::test_a_sync_killed_after_the_published_file_was_replaced_has_happened",
            KILL,
            WAREHOUSE,
            PROMISE,
        ),
    ),
    Mutation(
        "swap: what nobody saw is published late",
        (
            (
                "warehouse/swap.py",
                "        record = self._recorded()\n        if record",
                (
                    "        record = _record_in(self.files.commit)\n"
                    "        if self.files.incoming_of(record).exists():\n"
                    "            self.files.incoming_of(record).replace(self.files.published)\n        if record"
                ),
            ),
        ),
        (f"{KILL}::test_a_sync_killed_before_the_swap_has_not_happened", KILL, WAREHOUSE, PROMISE),
    ),
    Mutation(
        "swap: the published file is written in place",
        (
            (
                "warehouse/swap.py",
                "        self.files.incoming.replace(self.files.published)\n",
                (
                    "        shutil.copyfile(self.files.incoming, self.files.published)\n"
                    "        self.files.incoming.unlink()\n"
                ),
            ),
        ),
        (f"{KILL}::test_a_sync_killed_before_the_swap_has_not_happened", KILL, WAREHOUSE, PROMISE),
    ),
    Mutation(
        "watermark cap",
        (("diff/compare.py", "filter (updated_at <= $1)", "filter ($1 is not null)"),),
        (
            f"{SYNC}::test_a_quick_sync_brings_exactly_what_was_inserted_and_edited",
            SYNC,
            FAULTS,
            PROMISE,
        ),
    ),
    Mutation(
        "order check",
        (("api/paging.py", "        raise Disorder\n", "        pass\n"),),
        (LISTING, FAULTS, PROMISE),
    ),
    Mutation(
        "details: read once is enough",
        (
            (
                "diff/detail_changes.py",
                "or known.result_synced_at is distinct from live.synced_at",
                "or false",
            ),
        ),
        (f"{DETAILS}::test_a_result_that_changed_is_read_again_and_its_old_details_leave_no_orphan", DETAILS),
    ),
    Mutation(
        "details: what a result has no more stays",
        (("diff/detail_changes.py", "in (select result_id from known_{table})", "in (select -1)"),),
        (f"{DETAILS}::test_a_result_that_changed_is_read_again_and_its_old_details_leave_no_orphan", DETAILS),
    ),
    Mutation(
        "details: a 404 is asked for at every sync",
        (
            (
                "diff/detail_changes.py",
                "(known.outcome <> 'read' and $started - known.read_at >= least(",
                "(known.outcome <> 'read' or $started - known.read_at >= least(",
            ),
        ),
        (f"{DETAILS}::test_a_404_marks_nothing_and_is_asked_again_a_day_later", DETAILS),
    ),
    Mutation(
        "details: transcripts unasked",
        (
            (
                "api/decode_details.py",
                "for turn in _turns(run)] if personal_data.transcripts else []",
                "for turn in _turns(run)]",
            ),
        ),
        (f"{DETAILS}::test_what_was_said_is_not_kept_unless_it_is_asked_for", DETAILS),
    ),
    Mutation(
        "erase: a row of an erased result that cannot be read is kept",
        (
            (
                "diff/rejected.py",
                "delete from rejected where {ERASED} returning id",
                "select id from rejected where false",
            ),
        ),
        ("tests/warehouse/test_erase.py::test_an_erased_result_is_in_no_table_and_no_file_and_stays_away",),
    ),
    Mutation(
        "by id: a record that names no id is found",
        (("api/endpoints.py", "and row.key != id_", "and isinstance(row.key, int) and row.key != id_"),),
        (
            "tests/promises/test_hostile_rows.py::test_a_row_in_flight_that_cannot_be_taken_by_id_keeps_its_last_good_version",
        ),
    ),
    Mutation(
        "personal data: what was erased is stored again",
        (("diff/compare.py", "if self._silenced and bigint(row.key) in self._silenced:", "if False:"),),
        (PERSONAL,),
    ),
    Mutation(
        "personal data: of a deleted result, what the list showed stays",
        (
            (
                "diff/forget.py",
                "        yield from _all_of(con, lookup, deleted)\n",
                "        yield from ()\n",
            ),
        ),
        (PERSONAL,),
    ),
    Mutation(
        "fields: one named like DuckDB's number of a row decides",
        (("diff/naming.py", '    "rowid",  # DuckDB\'s number of a row\n', ""),),
        ("tests/promises/test_hostile_rows.py",),
    ),
    Mutation(
        "fields: one that is only read may come in any case",
        (("diff/naming.py", " or spelled.get(key.lower(), key) != key:", ":"),),
        ("tests/promises/test_hostile_rows.py",),
    ),
    Mutation(
        "journal: one that stays undoes a sync",
        (("sync.py", "            with suppress(OSError):\n", "            with suppress(ValueError):\n"),),
        (f"{JOURNAL}::test_a_journal_that_cannot_be_removed_does_not_undo_a_sync_that_is_complete",),
    ),
    Mutation(
        "disk: its words in a commit are a bug",
        (("warehouse/disk.py", "(*_FULL, *_BROKEN)", "()"),),
        (f"{JOURNAL}::test_a_disk_that_fills_up_while_a_reading_is_noted_changes_nothing",),
    ),
    Mutation(
        "engine: nobody is kept out",
        (
            (
                "warehouse/postgres/connection.py",
                'if not self.session.value("select pg_try_advisory_lock(hashtext(%s))", APPLICATION):',
                "if False:",
            ),
        ),
        (f"{ENGINE}::test_while_one_sync_is_at_work_another_ends_with_exit_8", ENGINE),
    ),
    Mutation(
        "engine: nobody looks who was quicker",
        (("warehouse/postgres/warehouse.py", "            transaction.require_nobody_wrote()\n", ""),),
        (f"{ENGINE_KILL}::test_a_sync_that_another_has_overtaken_writes_nothing", ENGINE_KILL),
    ),
    Mutation(
        "engine: each table is merged for itself",
        (
            (
                "warehouse/postgres/staging.py",
                "        return []",
                "        self.merges.clear()\n        return super()._create_merge_followup_jobs(table_chain)",
            ),
        ),
        (f"{ENGINE_KILL}::test_a_sync_that_is_killed_has_happened_entirely_or_not_at_all", ENGINE_KILL),
    ),
    Mutation(
        "engine: the log comes first",
        (
            (
                "warehouse/postgres/warehouse.py",
                "            transaction.require_nobody_wrote()\n",
                (
                    "            transaction.require_nobody_wrote()\n"
                    "            transaction.log(outcome.log_entry())\n"
                    "        with session.transaction():\n"
                ),
            ),
            ("warehouse/steps.py", "    target.log(outcome.log_entry())\n", ""),
        ),
        (f"{ENGINE_KILL}::test_a_sync_that_is_killed_has_happened_entirely_or_not_at_all", ENGINE_KILL),
    ),
    Mutation(
        "counts: a result that has lost a run keeps its counts",
        (
            (
                "diff/changeset.py",
                """f"select * exclude ({', '.join(counted)}) from ({query})" if counted else""",
                "",
            ),
        ),
        (COUNTS,),
    ),
    Mutation(
        "counts: what is wrong stays when the views are built",
        (("warehouse/copy.py", "self._con.execute(counts.FORGET)", "pass"),),
        (COUNTS,),
    ),
    Mutation(
        "counts: views count the runs of every result",
        (
            ("../../sql/results.sql", " and _runs_listed is null)", ")"),
            ("../../sql/results.sql", "coalesce(_runs_listed, counts.listed", "coalesce(counts.listed"),
        ),
        (COUNTS,),
    ),
    Mutation(
        "scale: a fraction beside failed runs is a percentage",
        (("../../sql/results.sql", "rate / 100 * runs >= 0.5", "rate > 0"),),
        ("tests/models/test_results.py",),
    ),
    Mutation(
        "scale: a fraction beside failed runs tells the scale of the list",
        (("diff/shown.py", "success_rate / 100 * listed >= 0.5 and ", ""),),
        ("tests/diff/test_shown.py",),
    ),
    Mutation(
        "scale: a fraction by id beside failed runs is a percentage",
        (("api/decode_rows.py", "rate / 100 * len(runs) >= 0.5 and ", ""),),
        ("tests/api/test_decode_rows.py",),
    ),
    Mutation(
        "counts: a run without a verdict proves nothing where the runs are counted",
        (("../../sql/runs.sql", "coalesce(results._runs_decided, 0) > 0 or ", ""),),
        ("tests/models/test_runs.py",),
    ),
    Mutation(
        "counts: where no run is decided, none has a verdict",
        (("../../sql/runs.sql", "coalesce(_runs_decided, 0) = 0", "_runs_decided is null"),),
        ("tests/models/test_runs.py",),
    ),
    Mutation(
        "gate: --max-drop is for whatever ran",
        (
            (
                "../../sql/gate/judged_agents.sql",
                "= 'regressed' and adjusted_difference <",
                "= 'regressed' and pass_rate - baseline_pass_rate <",
            ),
        ),
        (GATE,),
    ),
    Mutation(
        "gate: a named result without decided runs is passed over",
        (("../../sql/gate/judged_agents.sql", "when undecided > 0 then", "when undecided < 0 then"),),
        (GATE,),
    ),
    Mutation(
        "news: a condition without a row is over",
        (("notify/news.py", "and _thing(row) not in over", 'and row["kind"] in COMPARED'),),
        (NEWS,),
    ),
    Mutation(
        "news: what another sync published counts as told",
        (("warehouse/told.py", ' and record["published"] == _published(files)', ""),),
        (NEWS,),
    ),
    Mutation(
        "engine: what a dead sync left stays",
        (
            (
                "warehouse/postgres/connection.py",
                "        self._end_sessions_of_the_dead()\n        self.drop_staging()\n",
                "        self._end_sessions_of_the_dead()\n",
            ),
            ("warehouse/postgres/warehouse.py", "        self._connection.tidy()\n", ""),
        ),
        (f"{ENGINE_KILL}::test_a_sync_that_is_killed_has_happened_entirely_or_not_at_all", ENGINE_KILL),
    ),
    Mutation(
        "forms: what is said inside of a field that no document knows is kept",
        (("api/forms.py", "fields[name] = _NOTHING_PERSONAL.allowed(fields[name])", "pass"),),
        (PERSONAL,),
    ),
    Mutation(
        "forms: a verdict that is no flag is unknown",
        (("api/forms.py", 'if run["success"] is None and str(success).strip():', "if False:"),),
        ("tests/promises/test_hostile_rows.py",),
    ),
    Mutation(
        "layout: any command may write over the warehouse",
        (
            (
                "warehouse/layout.py",
                'raise SettingsError(f"{target} belongs to the warehouse itself: choose another place.")',
                "pass",
            ),
        ),
        (GATE,),
    ),
    Mutation(
        "said: what is nested in details stays",
        (("diff/said.py", 'elif table == "run_details":', "elif False:"),),
        (PERSONAL,),
    ),
    Mutation(
        "forget: what was emptied in the list keeps its digest",
        (
            (
                "diff/forget.py",
                "set _digest = null where id in ({emptied})",
                "set _digest = _digest where id in ({emptied})",
            ),
        ),
        (f"{PERSONAL}::test_what_the_list_said_of_an_older_result_comes_back_with_the_next_full_reading",),
    ),
    Mutation(
        "forget: what was emptied in details counts as read",
        (
            (
                "diff/forget.py",
                "set with_transcripts = false, with_profiles = false, _digest = null where {read_so}",
                "set _digest = _digest where {read_so}",
            ),
        ),
        (PERSONAL,),
    ),
    Mutation(
        "details: profiles that are asked for again are not read",
        (
            (
                "diff/detail_changes.py",
                "$profiles and not coalesce(known.with_profiles, false)",
                "$profiles and false",
            ),
        ),
        (
            f"{PERSONAL}::test_what_a_sync_without_the_option_removed_of_results_that_it_did_not_read_comes_back",
        ),
    ),
    Mutation(
        "compare: what is too old is stored again",
        (("diff/compare.py", "return self.personal_data.of_time(row.created)", "return self.personal_data"),),
        (f"{PERSONAL}::test_what_was_removed_for_its_age_comes_back_when_it_may_be_older",),
    ),
    Mutation(
        "records: an old row that is read without what was said reads like any other",
        (
            (
                "diff/records.py",
                "if self.personal_data.of_time(created) is self.personal_data",
                "if True",
            ),
        ),
        (PERSONAL,),
    ),
    Mutation(
        "doubts: a dependable count that is higher than what is known is no doubt",
        (("diff/doubts.py", "if more > 0:", "if False:"),),
        (READING,),
    ),
)


def mutate(copy: Path, mutation: Mutation) -> None:
    shutil.copytree(
        REPOSITORY / "pipelines", copy / "pipelines", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(REPOSITORY / "sql", copy / "sql")
    for name, text, instead in mutation.edits:
        path = copy / "pipelines" / "cekura_sync" / name
        code = path.read_text(encoding="utf-8")
        if code.count(text) != 1:
            raise SystemExit(f"{mutation.name}: {name} holds {code.count(text)} times: {text!r}")
        path.write_text(code.replace(text, instead), encoding="utf-8")


def run(copy: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Python with the copy in front of what is installed."""
    longer = {"CEKURA_TEST_STEPS": "30", "CEKURA_TEST_LONG": "1"}  # a mutant has to be met
    env = {**longer, **os.environ, "PYTHONPATH": str(copy / "pipelines")}
    return subprocess.run(
        [sys.executable, *arguments], cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False
    )


def first_red(copy: Path, tests: tuple[str, ...]) -> str | None:
    """The first test that fails, if any."""
    loaded = run(copy, "-c", "import cekura_sync; print(cekura_sync.__file__)").stdout
    if not loaded.startswith(str(copy)):
        raise SystemExit(f"The tests would not see the copy, but {loaded.strip()}")
    for test in tests:
        ran = run(copy, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", test)
        if ran.returncode == 1:
            return next(
                line.split(" - ")[0].split()[1]
                for line in ran.stdout.splitlines()
                if line.startswith(("FAILED", "ERROR"))
            )
        if ran.returncode != 0:
            raise SystemExit(f"{test} could not be run:\n{ran.stdout}{ran.stderr}")
    return None


def main(wanted: list[str]) -> int:
    survivors = 0
    for mutation in MUTATIONS:
        if wanted and not any(name in mutation.name for name in wanted):
            continue
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder).resolve()
            mutate(copy, mutation)
            red = first_red(copy, mutation.tests)
        survivors += red is None
        print(f"{'red' if red else 'GREEN':6}{mutation.name:45}{red or 'no test noticed'}", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
