"""The page for the wall: what it says equals the views, whatever the data is; where it cannot be written, it says why."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from cekura_sync.sandbox import Sandbox, World
from support import browser
from support.harness import PATIENCE, Account, NewAccount, Ran, run
from support.rare import rare

needs_chromium = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="no Chromium here: apt-get install chromium"
)

MARKUP = "<script>alert(1)</script>\"'&amp; <b>bold</b> </title></style>"
HEBREW = "\u202eמוקד שירות العملاء"
ENDLESS = "x" * 50_000
NAMES = (MARKUP, HEBREW, ENDLESS)


class Page(HTMLParser):
    """Every tag, and every table by the finding above it: rows of (words, exact value)."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[tuple[str, list[list[tuple[str, float | None]]]]] = []
        self.headings: list[str] = []
        self._row: list[tuple[str, float | None]] = []
        self._into: list[str] | None = None
        self._value: float | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("h1", "h3", "td", "th"):
            self._into, self._value = [], None
        elif tag == "data":
            self._value = float(dict(attrs)["value"] or "nan")
        elif tag == "tbody":
            self.tables.append((self.headings[-1], []))
        elif tag == "tr":
            self._row = []
            if self.tables and self.tables[-1][0] == self.headings[-1]:
                self.tables[-1][1].append(self._row)

    def handle_endtag(self, tag: str) -> None:
        if self._into is None:
            return
        text = "".join(self._into)
        if tag in ("h1", "h3"):
            self.headings.append(text)
            self._into = None
        elif tag in ("td", "th"):
            self._row.append((text, self._value))
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into.append(data)

    def values(self, finding: str) -> list[list[float | None]]:
        """The exact values of the table below the finding that begins so."""
        return next(_values(rows) for heading, rows in self.tables if heading.startswith(finding))


def _values(rows: list[list[tuple[str, float | None]]]) -> list[list[float | None]]:
    return [[value for _, value in row] for row in rows]


def report(account: Account) -> tuple[Ran, Page, Path]:
    target = account.warehouse.parent / "page.html"
    target.write_text("an older page")
    ran = account.run("report", "-o", str(target))
    assert ran.code == 0, ran.err
    return ran, Page(target.read_text(encoding="utf-8")), target


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Three agents over twenty days whose names mean harm."""
    world = World(results=120, agents=3, days=20, in_flight=3, runs_per_result=6)
    agents = sorted({row["agent"] for row in world.results.values()})
    for result_id, row in list(world.results.items()):
        place = agents.index(row["agent"])
        runs = [each | {"scenario_name": NAMES[(each["scenario"] + place) % 2]} for each in row["runs"]]
        changed = {"runs": runs} if row["status"] == "completed" else {}
        world.touchless_edit(result_id, agent_name=NAMES[place], **changed)
    world.touchless_edit(min(world.results), success_rate=-1.0)
    with Sandbox(world) as sandbox:
        account = Account(sandbox, tmp_path_factory.mktemp("hostile") / "warehouse.duckdb")
        assert account.sync("--details").code == 0
        yield account


@pytest.fixture(scope="module")
def written(hostile: Account) -> tuple[Ran, Page, Path]:
    return report(hostile)


# -- what the page says -----------------------------------------------------------------------------------------------


def test_every_rate_of_every_agent_is_the_views(hostile: Account, written: tuple[Ran, Page, Path]) -> None:
    in_view = hostile.query(
        "select pass_rate, pass_rate_low, pass_rate_high, decided_runs, completed_results"
        " from analytics.agent_pass_rate"
    )

    on_page = [tuple(row[1:6]) for row in written[1].values("3 agents, the worse ones first")]

    assert sorted(on_page) == sorted(in_view)


def test_a_finding_that_may_make_figures_wrong_is_named_on_the_page(
    hostile: Account, written: tuple[Ran, Page, Path]
) -> None:
    text = written[2].read_text(encoding="utf-8")

    assert "Some figures may be wrong: success_rate is neither between 0 and 1 nor between 0 and 100" in text
    assert f"(1 row, such as result {min(hostile.world.results)}" in text


def test_the_days_of_a_chart_are_the_views_with_their_gaps(
    hostile: Account, written: tuple[Ran, Page, Path]
) -> None:
    in_view = hostile.query(
        "select pass_rate, decided_runs, passed_runs from analytics.agent_daily as daily"
        f" where agent_name = '{HEBREW}' order by day"
    )

    (rows,) = (
        rows
        for heading, rows in written[1].tables
        if "שירות" in heading and re.fullmatch(r"\d{4}-\d\d-\d\d", rows[0][0][0])
    )

    on_page = [(rate, runs, passed) for _, rate, _, _, runs, passed in _values(rows)]
    assert on_page == in_view


def test_this_week_is_told_as_agent_last_week_tells_it(
    hostile: Account, written: tuple[Ran, Page, Path]
) -> None:
    in_view = hostile.query(
        "select difference, adjusted_difference, adjusted_low, adjusted_high, pass_rate, decided_runs, previous_pass_rate,"
        " previous_decided_runs from analytics.agent_last_week where verdict is not null"
    )
    ((fallen,),) = hostile.query("select count(*) from analytics.agent_last_week where verdict = 'regressed'")

    headline, first, *_ = written[1].headings

    on_page = sorted(tuple(row[2:]) for row in written[1].values(first))
    assert len(on_page) == len(in_view)
    # Two plans of one query may add doubles up in another order.
    for row, expected in zip(on_page, sorted(in_view), strict=True):
        assert row == pytest.approx(expected, rel=1e-12)
    assert fallen == 0
    assert headline.startswith("No agent is clearly worse ")
    (columns,) = re.findall(r"<thead><tr>(.*?95 % low.*?)</tr>", written[2].read_text(encoding="utf-8"))
    headings = re.findall(r"<th[^>]*>(.*?)</th>", columns)
    assert headings[4:] == [
        "95 % low",
        "95 % high",
        "7 days",
        "runs (7 days)",
        "28 days before",
        "runs (28 days)",
    ]


def test_the_worst_scenario_is_counted_from_the_runs(
    hostile: Account, written: tuple[Ran, Page, Path]
) -> None:
    """All data is younger than 30 days, so the view's whole history is the page's."""
    in_view = hostile.query(
        "select pass_rate, pass_rate_low, pass_rate_high, decided_runs, passed_runs"
        " from analytics.scenario_pass_rate where passed_runs < decided_runs"
        " order by pass_rate_high, agent_id, scenario_id limit 10"
    )

    (rows,) = (rows for heading, rows in written[1].tables if re.search(r"passed \d+ of \d+ run", heading))

    assert [tuple(row[2:]) for row in _values(rows)] == in_view


def test_infrastructure_failures_are_told_apart_day_by_day(
    hostile: Account, written: tuple[Ran, Page, Path]
) -> None:
    in_view = hostile.query(
        "select sum(completed), sum(failed), sum(timeout), sum(cancelled)"
        " from analytics.infrastructure_failures_daily group by day order by day"
    )

    assert [tuple(row[1:5]) for row in written[1].values("The infrastructure failed")] == in_view


def test_an_agent_has_the_same_verdict_in_every_table(written: tuple[Ran, Page, Path]) -> None:
    _, page, _ = written
    changed = next(rows for finding, rows in page.tables if "clearly worse" in finding)
    every = next(rows for finding, rows in page.tables if finding.endswith("the worse ones first"))

    verdicts = {row[0][0]: row[7][0] for row in every}
    assert {row[0][0]: row[1][0] for row in changed} == {row[0][0]: verdicts[row[0][0]] for row in changed}


def test_every_chart_has_a_finding_for_its_name_and_a_table(written: tuple[Ran, Page, Path]) -> None:
    _, page, _ = written
    drawn = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]

    findings = [re.sub(r"\s+", " ", finding).strip() for finding, _ in page.tables]
    assert drawn == findings[:-1]  # the table of every agent is its own picture
    assert all(rows for _, rows in page.tables)
    assert len(drawn) >= 8


def test_the_command_says_where_the_page_is_and_what_it_says(written: tuple[Ran, Page, Path]) -> None:
    ran, page, target = written

    assert ran.out == ""
    (others,) = re.findall(r'<p class="others">(.*?)</p>', target.read_text(encoding="utf-8")) or [""]
    said = "; ".join(filter(None, (" ".join(page.headings[0].split()), others)))
    assert ran.err == f"The report is {target}: {said}.\n"


# -- names ------------------------------------------------------------------------------------------------------------


def test_a_name_is_text_is_cut_and_turns_no_other_text_around(written: tuple[Ran, Page, Path]) -> None:
    _, page, target = written
    html = target.read_text(encoding="utf-8")

    assert not {tag for tag, _ in page.tags} & {"script", "b", "img", "iframe", "object", "link"}
    assert "\u202e" not in html
    assert "x" * 100 not in html
    assert len(html) < 400_000
    assert any("<script>alert(1)</script>" in heading for heading in page.headings)
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_the_page_refers_to_nothing_outside_itself(written: tuple[Ran, Page, Path]) -> None:
    html = written[2].read_text(encoding="utf-8")

    assert "default-src 'none'" in html
    assert not re.search(r"(?i)\b(src|href|action|background|srcset)=|url\(|@import", html)


@needs_chromium
@pytest.mark.parametrize(("width", "options"), [(375, ()), (1600, browser.DARK)], ids=["phone", "dark wall"])
def test_a_browser_draws_the_charts_and_asks_for_nothing(
    written: tuple[Ran, Page, Path], tmp_path: Path, width: int, options: tuple[str, ...]
) -> None:
    visit, seen = browser.look(written[2], tmp_path, width, *options)

    assert (visit.console, visit.requests, seen["scripts"]) == ([], [], 0)
    assert seen["width"] <= width
    assert "<script>alert(1)</script>" in seen["text"]
    assert seen["ground"] == ("rgb(30, 35, 41)" if options else "rgb(255, 255, 255)")
    assert len(seen["charts"]) == len(written[1].tables) - 1
    series = "rgb(143, 208, 255)" if options else "rgb(0, 86, 140)"
    for chart in seen["charts"]:
        assert chart["box"][2] - chart["box"][0] > 250
        assert chart["box"][3] - chart["box"][1] > 60
        assert len(set(chart["colours"])) >= 3
        assert not [colour for colour in chart["colours"] if "var" in colour]
    assert sum(series in chart["colours"] for chart in seen["charts"]) >= 6


@needs_chromium
def test_the_cards_of_every_section_fill_the_width(written: tuple[Ran, Page, Path], tmp_path: Path) -> None:
    _, seen = browser.look(written[2], tmp_path, 1280)

    assert len(seen["rows"]) >= 4
    for row in seen["rows"]:
        assert max(card[2] for card in row["cards"]) == pytest.approx(row["box"][2], abs=1)
    assert "95 % low" in seen["text"]
    assert not [table for table in seen["cut"] if "95 % low" in table]


@needs_chromium
def test_no_text_of_a_chart_covers_another_or_leaves_it(
    written: tuple[Ran, Page, Path], tmp_path: Path
) -> None:
    _, seen = browser.look(written[2], tmp_path, 375)

    for chart in seen["charts"]:
        texts = chart["texts"]
        outside = [each["text"] for each in texts if not _inside(each["box"], chart["box"])]
        covering = [
            (one["text"], two["text"])
            for place, one in enumerate(texts)
            for two in texts[:place]
            if _overlap(one["box"], two["box"])
        ]
        assert (outside, covering) == ([], []), chart["name"]


@needs_chromium
def test_a_page_that_does_ask_for_something_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<img src='http://127.0.0.1:9/image.png'><script>console.error('oh')</script>")

    visit = browser.visit(page.as_uri(), tmp_path, "--dump-dom")

    assert visit.requests == ["http://127.0.0.1:9/image.png"]
    assert any("oh" in line for line in visit.console)


def _inside(box: list[float], frame: list[float]) -> bool:
    return (
        box[0] >= frame[0] - 1
        and box[1] >= frame[1] - 1
        and box[2] <= frame[2] + 1
        and box[3] <= frame[3] + 1
    )


def _overlap(one: list[float], two: list[float]) -> bool:
    """By more than the air that a line of text has."""
    return min(one[2], two[2]) - max(one[0], two[0]) > 1 and min(one[3], two[3]) - max(one[1], two[1]) > 4


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, two: str) -> float:
    brighter, darker = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_text_and_mark_stands_out_from_its_ground(written: tuple[Ran, Page, Path], theme: int) -> None:
    html = written[2].read_text(encoding="utf-8")
    colours = dict(re.findall(r"--(\w+): (#\w{6})", html.split(":root {")[theme + 1].partition("}")[0]))

    for text in ("ink", "muted", "worse", "better"):
        assert _contrast(colours[text], colours["card"]) >= 4.5, text
        assert _contrast(colours[text], colours["page"]) >= 4.5, text
    assert _contrast(colours["ink"], colours["warn"]) >= 4.5
    for mark in ("series", "range", "worse", "better"):
        assert _contrast(colours[mark], colours["card"]) >= 3, mark
    for ground in ("range", "band"):
        assert _contrast(colours["series"], colours[ground]) >= 2, ground


# -- little data, old data --------------------------------------------------------------------------------------------


def test_an_account_without_results_has_a_page_that_says_so(new_account: NewAccount) -> None:
    account = new_account(results=0, in_flight=0)
    account.sync()

    _, page, target = report(account)

    assert page.headings == ["There are no results yet"]
    assert "<svg" not in target.read_text()


@dataclass(frozen=True)
class InTwoSteps:
    """An account whose details a first sync leaves for a second one, and the page after each."""

    account: Account
    pages: list[str]


@pytest.fixture(scope="module")
def in_two_steps(new_account_of_many: NewAccount) -> InTwoSteps:
    account, pages = new_account_of_many(results=60, agents=3, in_flight=4), []
    for options in (("--details-budget", "20"), ()):
        assert account.sync("--details", *options).code == 0
        pages.append(report(account)[2].read_text(encoding="utf-8"))
    return InTwoSteps(account, pages)


def test_where_details_were_read_the_page_says_why_runs_fail(in_two_steps: InTwoSteps) -> None:
    tables = dict(Page(in_two_steps.pages[-1]).tables)

    rows = next(rows for finding, rows in tables.items() if " fails in " in finding)
    worst = in_two_steps.account.query(
        "select metric_name, agent_name, failing_share, decided_runs, failed_runs, last_explanation"
        " from analytics.failing_metrics where failed_runs > 0"
        " order by failing_share_low desc, agent_id, metric_id limit 10"
    )
    told = [(row[0][0], row[1][0], row[2][1], row[5][1], row[6][1]) for row in rows]
    assert told == [(name, agent, share, runs, failed) for name, agent, share, runs, failed, _ in worst]
    assert [row[-1][0][:60] for row in rows] == [why[:60] for *_, why in worst]


def test_where_details_are_left_for_later_the_page_says_how_many_runs_it_speaks_of(
    in_two_steps: InTwoSteps,
) -> None:
    lead = r"whose details were read \(sync --details\): ([^<]+)"

    ((every, read),) = in_two_steps.account.query(
        "select count(*), count(*) filter (result_id in (select result_id from (select distinct result_id, created_at"
        " from analytics.runs where result_status_group <> 'in_flight' order by created_at desc, result_id desc limit 20)))"
        " from analytics.runs where result_status_group <> 'in_flight'"
    )
    assert [found for page in in_two_steps.pages for found in re.findall(lead, page)] == [
        f"{read} of {every} runs so far, the newest first.",
        "all of the history.",
    ]


@pytest.mark.long
def test_one_day_of_data_is_no_comparison(new_account: NewAccount) -> None:
    account = new_account(results=6, agents=1, days=0.01, in_flight=1)
    account.sync()

    _, page, _ = report(account)

    assert page.headings[0] == "1 agent, not enough results to compare yet"
    assert not any(" pp" in heading for heading in page.headings)


@pytest.mark.long
def test_a_week_that_ended_before_the_day_of_the_last_sync_is_called_by_its_last_day(
    new_account: NewAccount,
) -> None:
    account = new_account(results=60, agents=2, now=datetime.now(UTC) - timedelta(days=9), in_flight=0)
    account.sync()
    ((last_day,),) = account.query("select max(last_day) from analytics.agent_last_week")

    _, page, target = report(account)

    week = f"in the week to {last_day.day} {last_day:%b %Y}"
    assert week in page.headings[0]
    assert week in page.headings[1]
    html = target.read_text(encoding="utf-8")
    assert f"● the 7 days to {last_day.day} {last_day:%b %Y} (UTC)." in html
    assert "this week" not in html


@pytest.mark.long
def test_the_page_is_as_fresh_as_the_last_sync_in_the_file_or_on_record(settled: Account) -> None:
    account = settled
    record = account.home / "last.json"
    with duckdb.connect(str(account.warehouse)) as con:
        con.execute("update cekura.sync_log set finished_at = finished_at - interval '3 days'")

    def said_with_a_sync_on_record_in(year: int) -> str:
        said = re.sub(
            r'"finished_at": "[^"]+"', f'"finished_at": "{year}-01-01T00:00:00+00:00"', record.read_text()
        )
        record.write_text(said)
        return report(account)[2].read_text(encoding="utf-8")

    assert "This page was written 3 days after the last sync." in said_with_a_sync_on_record_in(2001)
    assert "Data as of 1 Jan 2099, 00:00 UTC" in said_with_a_sync_on_record_in(2099)


# -- where it is written ----------------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_page_replaces_what_stood_there_and_a_new_one_is_for_its_owner_alone(
    hostile: Account, written: tuple[Ran, Page, Path]
) -> None:
    _, _, target = written
    new = target.with_name("new.html")

    assert hostile.run("report", "-o", str(new)).code == 0

    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert new.stat().st_mode & 0o077 == 0
    new.chmod(0o644)  # it is shared
    assert hostile.run("report", "-o", str(new)).code == 0
    assert new.stat().st_mode & 0o777 == 0o644
    assert not list(target.parent.glob(".*.new"))


@pytest.mark.parametrize(
    "place",
    ["warehouse.duckdb", "warehouse.duckdb.wal", "warehouse.duckdb.d/page.html", "nowhere/page.html", "."],
)
def test_a_place_that_is_not_for_a_page_is_refused(hostile: Account, place: str) -> None:
    before = hostile.warehouse.stat()

    ran = hostile.run("report", "-o", str(hostile.warehouse.parent / place))

    assert (ran.code, ran.out) == (2, ""), ran.err
    assert re.fullmatch(r"cekura-sync: [^\n]+\n", ran.err)
    assert hostile.warehouse.stat() == before


def test_a_pipe_is_not_replaced_by_a_page(hostile: Account, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    ran = hostile.run("report", "-o", str(tmp_path / "pipe"))

    assert (ran.code, "is not a file that the report could replace" in ran.err) == (2, True), ran.err
    assert (tmp_path / "pipe").is_fifo()


def test_no_warehouse_is_an_error_and_no_page(tmp_path: Path) -> None:
    ran = run("report", "-o", str(tmp_path / "p.html"), "--warehouse", str(tmp_path / "w.duckdb"), env={})

    assert (ran.code, "run `cekura-sync sync` first" in ran.err) == (9, True)
    assert list(tmp_path.iterdir()) == []


def test_a_warehouse_without_our_views_says_how_to_make_them(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("create schema cekura; create table cekura._generation as select 1 as generation")

    ran = run("report", "-o", str(tmp_path / "p.html"), "--warehouse", str(tmp_path / "w.duckdb"), env={})

    assert (ran.code, "`cekura-sync build`" in ran.err) == (9, True), ran.err
    assert not (tmp_path / "p.html").exists()


@pytest.mark.parametrize("missing", ["altair", *rare("vl_convert", "jinja2")])
def test_without_the_extra_the_command_says_how_to_install_it(hostile: Account, missing: str) -> None:
    program = f"import sys; sys.modules['{missing}'] = None; from cekura_sync import cli; sys.exit(cli.run(['report']))"

    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | hostile.env,
        cwd=hostile.warehouse.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert (ran.returncode, ran.stdout) == (2, "")
    assert re.fullmatch(r"cekura-sync: [^\n]+pip install '\.\[report\]'[^\n]+\n", ran.stderr)
    assert not (hostile.warehouse.parent / "report.html").exists()


@pytest.mark.long
def test_without_the_extra_the_demo_says_how_to_get_a_page(tmp_path: Path) -> None:
    program = "import sys; sys.modules['altair'] = None; from cekura_sync import cli; sys.exit(cli.run(['demo', '--results', '20']))"

    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert ran.returncode == 0, ran.stderr
    assert "pip install '.[report]'" in ran.stdout
    assert not (tmp_path / "demo.html").exists()
    assert "The warehouse is" in ran.stdout


def test_a_dash_sends_the_page_to_stdout(hostile: Account, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "cekura_sync", "report", "-o", "-"],
        env=os.environ | hostile.env,
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )

    assert (ran.returncode, ran.stderr) == (0, b"")
    page = ran.stdout.decode("utf-8")
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert list(tmp_path.iterdir()) == []
