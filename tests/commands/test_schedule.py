"""`schedule`: files that their own readers take, whatever the paths and settings are called, and that never hold the key."""

import importlib.util
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from cekura_sync.schedule import KINDS
from support.harness import PATIENCE, Account, Ran, run
from support.rare import rare

KEY = "sk-very-secret"
AWKWARD = '50% off, "it\'s" $HOME; `id` & #1 {x}'


def needs(tool: str) -> pytest.MarkDecorator:
    beside = Path(sys.executable).with_name(tool)
    found = beside.exists() or shutil.which(tool)
    return pytest.mark.skipif(not found, reason=f"{tool} is not installed here")


def check(tool: str, *arguments: str | Path) -> str:
    """What the tool says; the test fails when it refuses the file."""
    beside = Path(sys.executable).with_name(tool)
    ran = subprocess.run(
        [beside if beside.exists() else tool, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def schedule(kind: str, *options: str, **env: str) -> Ran:
    return run("schedule", kind, *options, env={"CEKURA_API_KEY": KEY} | env)


@pytest.fixture(params=["plain", AWKWARD], ids=["plain names", "awkward names"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A directory for the warehouse and the key."""
    folder = tmp_path / str(request.param)
    folder.mkdir()
    return folder


def options(place: Path) -> list[str]:
    return ["--warehouse", str(place / "w.duckdb"), "--env-file", str(place / "env"), "--search", place.name]


def written(place: Path, kind: str, name: str, *more: str) -> Path:
    ran = schedule(kind, *options(place), *more)
    assert (ran.code, ran.err) == (0, "")
    file = place.parent / name
    file.write_text(ran.out)
    return file


# -- what is in all of them -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_the_settings_and_says_what_to_do_but_never_holds_the_key(kind: str) -> None:
    ran = schedule(
        kind, "--agent-id", "7", "--full-every", "12h", CEKURA_LOOKBACK="48h", CEKURA_API_VERSION="v2"
    )

    assert (ran.code, ran.err) == (0, "")
    assert KEY not in ran.out
    words = re.sub(r"[\"',\n\s]+", " ", ran.out)
    for setting in ("--agent-id 7", "--full-every 12h", "--lookback 48h", "--api-version v2"):
        assert setting in words
    assert "--timeout" not in words
    assert "--api-url" not in words
    assert "Save this as" in ran.out or "Add these lines" in ran.out
    assert len(max(ran.out.split("\n"), key=len)) < 600


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_speak_of_absolute_paths(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    out = schedule(kind, "--warehouse", "data/w.duckdb").out

    where = {"docker": f'"{tmp_path}/data"', "kubernetes": "/data/w.duckdb", "github": "warehouse/w.duckdb"}
    assert where.get(kind, str(tmp_path / "data/w.duckdb")) in out


def test_the_address_in_the_vendors_file_is_passed_on_for_other_machines_do_not_have_it() -> None:
    config = Path.home() / ".cekura" / "config.toml"
    config.parent.mkdir()
    config.write_text('api_key = "another"\napi_url = "https://eu.example.org"\n')

    assert '"--api-url", "https://eu.example.org"' in schedule("docker").out


def test_no_key_is_needed_to_print_a_file() -> None:
    assert run("schedule", "cron", env={}).code == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variable", ["CEKURA_PING", "CEKURA_NOTIFY"])
def test_a_secret_address_is_not_in_a_file_but_the_file_says_where_it_goes(kind: str, variable: str) -> None:
    with_address = schedule(kind, **{variable: "https://hc-ping.com/very-secret-uuid"}).out

    assert "secret-uuid" not in with_address
    assert f"{variable} is set here" in with_address
    assert variable not in schedule(kind).out


def test_where_a_file_names_its_secrets_the_ping_is_one_of_them() -> None:
    def printed(kind: str) -> str:
        return schedule(kind, CEKURA_PING="https://hc-ping.com/uuid").out

    steps = yaml.safe_load(printed("github"))["jobs"]["sync"]["steps"]
    job = list(yaml.safe_load_all(printed("kubernetes")))[1]["spec"]["jobTemplate"]["spec"]

    sync = next(step for step in steps if step.get("name") == "Sync")
    assert sync["env"]["CEKURA_PING"] == "${{ secrets.CEKURA_PING }}"
    (container,) = job["template"]["spec"]["containers"]
    assert container["env"][1] == {
        "name": "CEKURA_PING",
        "valueFrom": {"secretKeyRef": {"name": "cekura-sync", "key": "ping"}},
    }


def test_a_tilde_that_the_shell_left_alone_is_the_home_directory() -> None:
    out = schedule("cron", "--env-file", "~/keys/cekura.env").out

    assert f". {Path.home()}/keys/cekura.env && " in out
    assert "~" not in out


# -- usage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["monthly"], "is not one of"),
        (["cron", "--every", "0"], "no time between"),
        (["cron", "--every", "90s"], "whole minutes"),
        (["cron", "--every", "7m"], "divides an hour or a day"),
        (["kubernetes", "--every", "5h"], "divides an hour or a day"),
        (["github", "--every", "2d"], "divides an hour or a day"),
        (["github", "--every", "1m"], "five minutes"),
        (["cron", "--lookback", "often"], "not a duration"),
        (["cron", "--api-url", "http://example.org"], "plain http"),
        (["cron", "--search", "two\nlines"], "not safe in a scheduler's file"),
        (["systemd", "--search", "back\\slash"], "not safe in a scheduler's file"),
        (["docker", "--image", "bell\a"], "not safe in a scheduler's file"),
        (["cron", "--env-file", "~nobody-has-this-name/env"], "no home directory"),
        (["github", "--search", "${{ secrets.OTHER }}"], "evaluated by GitHub"),
    ],
)
def test_what_a_scheduler_cannot_do_exits_2(arguments: list[str], says: str) -> None:
    ran = run("schedule", *arguments, env={})

    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


@pytest.mark.parametrize("kind", ["cron", "github-gate"])
def test_what_the_environment_turns_on_becomes_an_option_without_a_value(kind: str) -> None:
    on = schedule(kind, "--agent-id", "7", CEKURA_DETAILS="1", CEKURA_TRANSCRIPTS="0")

    assert (on.code, on.err) == (0, "")
    assert re.search(r"--details (?!1)", on.out)
    assert "transcripts" not in on.out
    assert schedule(kind, "--agent-id", "7", CEKURA_DETAILS="perhaps").code == 2


def test_a_job_keeps_the_report_up_to_date_where_it_can_write_it(tmp_path: Path) -> None:
    page = tmp_path / "wall" / "report.html"

    assert f"--report {page}" in schedule("cron", "--report", str(page)).out
    assert "which docker cannot see" in schedule("docker", "--report", str(page)).err


# -- gates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "schema"), [("github-gate", "vendor.github-workflows"), ("gitlab-gate", "vendor.gitlab-ci")]
)
def test_a_gate_is_a_file_that_its_pipeline_takes(tmp_path: Path, kind: str, schema: str) -> None:
    options = ["--agent-id", "4108", "--full-every", "12h", "--warehouse", f"{AWKWARD}/w.duckdb"]
    ran = schedule(kind, *options, CEKURA_PING="https://hc-ping.com/uuid", CEKURA_CHANGES="c.csv")

    assert (ran.code, ran.err) == (0, "")
    assert KEY not in ran.out
    file = tmp_path / "gate.yaml"
    file.write_text(ran.out)
    check("check-jsonschema", "--builtin-schema", schema, file)
    words = shlex.split(_gate_command(yaml.safe_load(ran.out)))
    shown = ["cekura-sync", "gate", "--warehouse", "warehouse/w.duckdb", "--agent-id", "4108", "--full-every", "12h", "--junit", "gate.xml"]  # fmt: skip
    assert words[: len(shown)] == shown


def _gate_command(parsed: dict[str, Any]) -> str:
    lines = (
        [step.get("run", "") for step in parsed["jobs"]["gate"]["steps"]]
        if "jobs" in parsed
        else parsed["cekura-gate"]["script"]
    )
    return next(line for line in lines if "cekura-sync gate" in line)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "add --agent-id"),
        (["--agent-id", "1", "--search", "x"], "does not take --search"),
        (["--agent-id", "1", "--changes", "c.csv"], "does not take --changes"),
        (["--agent-id", "1", "--destination", "postgres"], "without --destination"),
        (["--agent-id", "1", "--lookback", "often"], "not a duration"),
    ],
)
def test_what_a_gate_cannot_take_exits_2(options: list[str], says: str) -> None:
    ran = schedule("github-gate", *options)

    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


def test_what_gitlab_would_evaluate_is_refused() -> None:
    ran = schedule("gitlab-gate", "--agent-id", "1", "--warehouse", "$[[ inputs.name ]].duckdb")

    assert (ran.code, "would be evaluated by GitLab" in ran.err) == (2, True), ran


# -- each by its own reader -------------------------------------------------------------------------------------------


@needs("crontab")
def test_cron_takes_its_file(place: Path) -> None:
    usage = subprocess.run(["crontab", "-h"], capture_output=True, text=True, check=False)  # noqa: S607
    if "dry run" not in usage.stdout + usage.stderr:
        pytest.skip("this crontab cannot check a file without installing it")
    check("crontab", "-n", written(place, "cron", "crontab"))


@pytest.mark.parametrize(
    ("every", "pattern"),
    [
        ("1m", r"\* \* \* \* \*"),
        ("15m", r"\d+,\d+,\d+,\d+ \* \* \* \*"),
        ("1h", r"\d+ \* \* \* \*"),
        ("60m", r"\d+ \* \* \* \*"),
        ("6h", r"\d+ \d+,\d+,\d+,\d+ \* \* \*"),
        ("1d", r"\d+ \d+ \* \* \*"),
    ],
)
def test_cron_times_are_as_far_apart_as_was_asked_for(tmp_path: Path, every: str, pattern: str) -> None:
    croniter = pytest.importorskip("croniter")
    out = schedule("cron", "--every", every, "--warehouse", str(tmp_path / "w.duckdb")).out

    times = re.match(rf"({pattern}) set ", out.splitlines()[-1])
    assert times, out
    runs = croniter.croniter(times[1], 0)
    moments = [runs.get_next(float) for _ in range(60)]
    unit = {"m": 60, "h": 3600, "d": 86400}[every[-1]]
    assert {b - a for a, b in itertools.pairwise(moments)} == {int(every[:-1]) * unit}


@pytest.mark.parametrize("place", [*rare("plain"), AWKWARD], indirect=True)
def test_the_command_in_the_crontab_syncs_when_a_shell_runs_it(
    place: Path, new_account: Callable[..., Account]
) -> None:
    account = new_account(results=5, runs_per_result=1, in_flight=0)
    (place / "env").write_text(f"CEKURA_API_KEY='{account.sandbox.key}'\n")
    warehouse = ["--warehouse", str(place / "w.duckdb"), "--env-file", str(place / "env")]
    line = schedule("cron", *warehouse, "--api-url", account.sandbox.url).out.splitlines()[-1]

    command = re.sub(r"(?<!\\)%.*", "", line.split(" ", 5)[5]).replace(r"\%", "%")  # as cron reads it
    ran = subprocess.run(
        ["/bin/sh", "-c", command], env={}, capture_output=True, text=True, check=False, cwd="/"
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert (place / "w.duckdb").exists()


@needs("systemd-analyze")
def test_systemd_takes_its_unit_and_runs_what_was_asked_for(place: Path) -> None:
    unit = written(place, "systemd", "cekura-sync.service")

    said = check("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit)

    assert "cekura-sync.service" not in said, said
    words = _systemd_words(unit.read_text())
    assert words[words.index("--warehouse") + 1] == str(place / "w.duckdb")
    assert words[words.index("--search") + 1] == place.name
    assert words[-2:] == ["--every", "15m"]


def test_systemd_opens_the_file_of_the_key_under_its_own_name_only() -> None:
    """It takes the path for a pattern."""
    out = schedule("systemd", "--env-file", "/srv/a*b/[key]?/env%").out

    assert "\nEnvironmentFile=/srv/a[*]b/[[]key][?]/env%%\n" in out


def test_systemd_starts_a_program_with_a_dollar_in_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables stand in the arguments only."""
    monkeypatch.setattr("cekura_sync.schedule.kinds.this_command", lambda: ("/opt/$x/cekura-sync",))

    out = schedule("systemd", "--search", "$x").out

    assert 'ExecStart="/opt/$x/cekura-sync" "sync" ' in out
    assert '"--search" "$$x"' in out


@pytest.mark.parametrize(("user", "target"), [(0, "multi-user.target"), (1000, "default.target")])
def test_the_unit_is_the_systems_for_root_and_the_users_own_for_others(
    monkeypatch: pytest.MonkeyPatch, user: int, target: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)

    out = schedule("systemd").out

    assert f"WantedBy={target}\n" in out
    assert ("systemctl --user enable" in out) == (user != 0)


@needs("systemd-analyze")
def test_a_service_of_the_system_can_write_where_a_sync_writes_and_hardly_anything_else(place: Path) -> None:
    unit = written(place, "systemd", "cekura-sync.service", "--metrics", str(place / "out" / "c.prom"))
    if os.geteuid():
        pytest.skip("a user's own service has no namespaces")

    said = check("systemd-analyze", "security", "--offline=yes", "--threshold=30", "--no-pager", unit)

    assert "exposure level" in said
    settings = dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE))
    directory = str(place).replace("%", "%%").replace('"', r"\"")
    # What stands in /tmp would be hidden by a private one.
    assert settings["ReadWritePaths"] == f'"{directory}" "{directory}/out" "/tmp"'
    assert (settings["ProtectSystem"], settings["NoNewPrivileges"], settings["PrivateTmp"]) == (
        "strict",
        "yes",
        "no",
    )
    assert "PrivateTmp=yes" in schedule("systemd", "--warehouse", "/srv/w.duckdb").out
    assert settings["MemoryMax"] == "2G"


def _systemd_words(unit: str) -> list[str]:
    """ExecStart as systemd.service(5) says that it is split."""
    line = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    assert line
    assert not re.search(r"[%$]", line[1].replace("%%", "").replace("$$", "")), "a specifier or a variable"
    words = re.findall(r'"((?:[^"\\]|\\.)*)"', line[1])
    return [word.replace(r"\"", '"').replace("%%", "%").replace("$$", "$") for word in words]


@needs("check-jsonschema")
def test_docker_compose_takes_its_file(place: Path) -> None:
    file = written(place, "docker", "compose.yaml", "--image", "registry.example/cekura-sync@sha256:0")

    check("check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)
    service = loaded(file)[0]["services"]["cekura-sync"]
    command = [word.replace("$$", "$") for word in service["command"]]  # as Compose interpolates it
    assert command[command.index("--search") + 1] == place.name
    assert service["volumes"][0]["source"].replace("$$", "$") == str(place)
    assert service["environment"] == {"CEKURA_WAREHOUSE": "/data/w.duckdb"}
    assert run(*command, "--help", env={}).code == 0
    health = [word.replace("$$", "$") for word in service["healthcheck"]["test"]]
    assert health[health.index("--search") + 1] == place.name
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@pytest.mark.parametrize(("user", "as_user"), [(0, "10001:10001"), (1000, "1000:1000")])
def test_no_container_runs_as_root(monkeypatch: pytest.MonkeyPatch, user: int, as_user: str) -> None:
    monkeypatch.setattr(os, "getuid", lambda: user)
    monkeypatch.setattr(os, "getgid", lambda: user)

    out = schedule("docker", "--warehouse", "/srv/data/w.duckdb").out

    assert yaml.safe_load(out)["services"]["cekura-sync"]["user"] == as_user
    assert ("chown 10001:10001 /srv/data" in out) == (user == 0)


def test_github_says_how_many_runs_there_are_to_pay_for() -> None:
    assert "about 720 runs a month" in schedule("github", "--every", "1h").out


def test_kubernetes_takes_its_manifests(place: Path) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    manifests = loaded(written(place, "kubernetes", "cekura-sync.yaml"))

    for manifest in manifests:
        kubernetes_validate.validate(manifest, "1.30", strict=True)
    assert [manifest["kind"] for manifest in manifests] == ["PersistentVolumeClaim", "CronJob"]
    pod = manifests[1]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    arguments = pod["containers"][0]["args"]
    assert _as_kubernetes_reads(arguments[arguments.index("--search") + 1]) == place.name
    assert "value" not in pod["containers"][0]["env"][0]


def test_kubernetes_takes_no_argument_for_a_variable_and_halves_no_dollars() -> None:
    search = "$(HOME) $HOME costs $$5 $$(A) $$$(B) $$$"
    options = ["--search", search, "--warehouse", "/srv/$$(A).duckdb"]
    manifest = list(yaml.safe_load_all(schedule("kubernetes", *options).out))[1]
    arguments = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"]

    read = [_as_kubernetes_reads(word) for word in arguments]
    assert read == ["sync", "--warehouse", "/data/$$(A).duckdb", "--search", search]


def _as_kubernetes_reads(argument: str) -> str:
    """By its rules: $$ is a dollar, $(NAME) a variable, and any other dollar itself."""
    return re.sub(r"\$(?:\$|\(([^)]*)\))", lambda found: f"<{found[1]}>" if found[1] else "$", argument)


@needs("check-jsonschema")
def test_github_takes_its_workflow(place: Path) -> None:
    file = written(place, "github", "cekura-sync.yaml")

    check("check-jsonschema", "--builtin-schema", "vendor.github-workflows", file)
    steps = loaded(file)[0]["jobs"]["sync"]["steps"]
    sync = next(step for step in steps if step.get("name") == "Sync")
    words = shlex.split(sync["run"])
    assert words[words.index("--search") + 1] == place.name
    assert sync["env"] == {"CEKURA_API_KEY": "${{ secrets.CEKURA_API_KEY }}"}


@pytest.mark.parametrize("kind", ["airflow", "dagster"])
def test_a_python_file_runs_this_installation_with_these_settings(place: Path, kind: str) -> None:
    source = written(place, kind, f"{kind}_file.py").read_text()

    compile(source, kind, "exec")
    command = json.loads(json.dumps(_assigned(source, "COMMAND")))
    assert command[command.index("--warehouse") + 1] == str(place / "w.duckdb")
    assert command[command.index("--search") + 1] == place.name
    ran = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(("kind", "package"), [("airflow", "airflow"), ("dagster", "dagster")])
def test_the_scheduler_itself_loads_its_file(tmp_path: Path, kind: str, package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed here")
    check("python", written(tmp_path, kind, f"{kind}_file.py"))


def loaded(file: Path) -> list[Any]:
    return list(yaml.safe_load_all(file.read_text()))


def _assigned(source: str, name: str) -> list[str]:
    import ast

    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and cast(ast.Name, statement.targets[0]).id == name:
            return ast.literal_eval(statement.value)
    raise AssertionError(f"{name} is not assigned")
