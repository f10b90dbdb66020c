"""The archive in a real Superset: imported as its users import it, and every chart's data fetched through its API.

`make dashboards` installs Superset beside the environment that runs the tests; without it these tests are skipped, or, with
CEKURA_TEST_DASHBOARDS=all, fail.
"""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.harness import Account, run
from support.planted import account_with_everything

pytestmark = pytest.mark.long

PYTHON = Path(sys.prefix, "superset", "bin", "python")
SITE = Path(__file__).parents[1] / "support" / "superset_site.py"
USER, PASSWORD = "admin", "of this test"
NOW = datetime.now(UTC)
IMPORTS = {
    "dashboard": ("/api/v1/dashboard/import/", "formData"),
    "everything": ("/api/v1/assets/import/", "bundle"),
}
EXPECTED = {
    "How fresh the data is (UTC)": ["select count(*) from analytics.sync_status"],
    "The last week against the four before": ["select count(*) from analytics.agent_last_week"],
    "Scenarios that drove it": ["select count(contribution) from analytics.agent_last_week_scenarios"],
    "Pass rate by week": ["select count(*) from analytics.agent_weekly"],
    "The same for the chosen agents together, with the 95 % interval": [
        "select count(distinct week) from analytics.agent_weekly"
    ]
    * 2,
    "Your changes, and whether they helped": ["select count(*) from analytics.agent_change_effect"],
    "Results that did not end by themselves, by day": [
        "select count(distinct day) from analytics.infrastructure_failures_daily"
    ],
    "Scenarios, the most surely bad first": [
        "select count(*) from analytics.scenario_pass_rate where decided_runs > 0"
    ],
}


class Superset:
    def __init__(self, port: int) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600, trust_env=False)
        login = {"username": USER, "password": PASSWORD, "provider": "db"}
        token = self._http.post("/api/v1/security/login", json=login).json()["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"
        self._http.headers["X-CSRFToken"] = self._http.get("/api/v1/security/csrf_token/").json()["result"]
        self._http.headers["Referer"] = str(self._http.base_url)

    def take(self, archive: Path, how: str) -> None:
        address, field = IMPORTS[how]
        with archive.open("rb") as content:
            answer = self._http.post(address, files={field: content}, data={"overwrite": "true"})
        assert answer.status_code == 200, answer.text

    def listed(self, kind: str) -> list[dict[str, Any]]:
        return self._http.get(f"/api/v1/{kind}/", params={"q": "(page_size:100)"}).json()["result"]

    def rows(self, chart: int) -> list[list[dict[str, Any]]]:
        """The rows of each query of a chart."""
        answer = self._http.get(f"/api/v1/chart/{chart}/data/")
        assert answer.status_code == 200, answer.text
        return [query["data"] for query in answer.json()["result"]]

    def rows_by_name(self) -> dict[str, list[list[dict[str, Any]]]]:
        return {chart["slice_name"]: self.rows(chart["id"]) for chart in self.listed("chart")}


@pytest.fixture(scope="module")
def superset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superset]:
    if not PYTHON.exists():
        missing = f"There is no Superset in {PYTHON.parents[1]}: run `make dashboards`."
        (pytest.fail if os.environ.get("CEKURA_TEST_DASHBOARDS") == "all" else pytest.skip)(missing)
    home = tmp_path_factory.mktemp("superset")
    with (home / "log").open("w") as log:
        site = subprocess.Popen(
            [PYTHON, "-W", "ignore", SITE, home, USER, PASSWORD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert site.stdout
        port = next((line.split()[1] for line in site.stdout if line.startswith("port ")), None)
        assert port, (home / "log").read_text()[-3000:]
        yield Superset(int(port))
        site.kill()
        site.communicate()


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account_with_everything(tmp_path_factory.mktemp("warehouse of 100 %"), NOW) as account:
        yield account


def archive_of(account: Account, folder: Path) -> Path:
    ran = run("dashboards", "superset", "--to", str(folder), "--warehouse", str(account.warehouse), env={})
    assert ran.code == 0, ran.err
    return folder / "cekura-superset.zip"


def test_every_chart_has_the_data_of_its_view_and_a_second_import_adds_nothing(
    superset: Superset, account: Account, tmp_path: Path
) -> None:
    archive = archive_of(account, tmp_path)

    for how in ("dashboard", "dashboard", "everything"):
        superset.take(archive, how)

        (dashboard,) = superset.listed("dashboard")
        assert dashboard["dashboard_title"] == "Cekura agents: warehouse"
        assert len(superset.listed("database")) == 1
        shown = superset.rows_by_name()
        assert {name: [len(rows) for rows in queries] for name, queries in shown.items()} == {
            name: [account.query(sql)[0][0] for sql in queries] for name, queries in EXPECTED.items()
        }

    week = {
        row["agent"]: row["verdict"]
        for (rows,) in [shown["The last week against the four before"]]
        for row in rows
    }
    in_words = "agent_name || ' (' || agent_id || ')'"
    assert week == dict(account.query(f"select {in_words}, verdict from analytics.agent_last_week"))
    line, marks = shown["The same for the chosen agents together, with the 95 % interval"]
    assert all(
        row["95 % from"] < row["Pass rate"] < row["95 % to"] for row in line if row["Pass rate"] is not None
    )
    assert len([row for row in marks if row["Noted change"] is not None]) == 1


def test_a_dashboard_shows_new_data_after_the_next_sync(
    superset: Superset, account: Account, tmp_path: Path
) -> None:
    superset.take(archive_of(account, tmp_path), "everything")
    (chart,) = [
        chart["id"]
        for chart in superset.listed("chart")
        if chart["slice_name"] == "How fresh the data is (UTC)"
    ]
    ((before,),) = superset.rows(chart)

    account.world.insert(3)
    assert account.sync().code == 0
    ((after,),) = superset.rows(chart)

    assert after["live_results"] == before["live_results"] + 3


def test_importing_everything_brings_a_newer_version_of_the_charts(
    superset: Superset, account: Account, tmp_path: Path
) -> None:
    archive = archive_of(account, tmp_path)
    superset.take(archive, "everything")
    renamed = tmp_path / "renamed.zip"
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(renamed, "w") as new:
        for name in old.namelist():
            new.writestr(
                name, old.read(name).replace(b"slice_name: Pass rate by week", b"slice_name: A newer name")
            )

    superset.take(renamed, "everything")

    names = [chart["slice_name"] for chart in superset.listed("chart")]
    assert len(names) == len(EXPECTED)
    assert [name for name in names if name not in EXPECTED] == ["A newer name"]
