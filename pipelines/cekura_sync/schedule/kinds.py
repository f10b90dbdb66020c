"""The kinds of schedulers, and the values that fill each one's template."""

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from string import Template

from cekura_sync import __version__
from cekura_sync.errors import SettingsError
from cekura_sync.schedule import quoting
from cekura_sync.schedule.job import Job, duration_text, this_command

ELSEWHERE = ("docker", "kubernetes", "github")  # these run on other machines, without the files of this one
_IN_CONTAINER = "/data"
_IMAGE_USER = 10001  # the user of the Dockerfile; root is not needed
_ENGINES = {"postgres": "PostgreSQL"}


def render(kind: str, job: Job) -> str:
    """The file for this kind of scheduler. Raises SettingsError for settings that it cannot hold."""
    for text in (str(job.warehouse), str(job.env_file), job.image, *job.options, *this_command()):
        quoting.check(text)
    if job.engine and kind in ELSEWHERE:
        raise SettingsError(
            f"The file for {kind} syncs into a DuckDB file: print it without --destination. Then replace --warehouse by --destination {job.engine} in it, and add {_credentials_variable(job.engine)} as a secret beside the key."
        )
    name, values = KINDS[kind]
    template = files(__package__).joinpath("templates", name).read_text(encoding="utf-8")
    secrets_go, secret_variables = _secrets(kind, job)
    return Template(template).substitute(
        _in_comments(job),
        secrets_go=secrets_go + _credentials(kind, job),
        secret_variables=secret_variables,
        **values(job),
    )


def _credentials(kind: str, job: Job) -> str:
    """Says where an engine's credentials go: beside the key, because they are a secret too."""
    if job.engine is None:
        return ""
    variable = _credentials_variable(job.engine)
    if kind == "airflow":
        return f"\n\n{variable} is a secret too. Set it as another variable:\n\n    airflow variables set {_airflow_variable(job.engine)} …"
    comment = "# " if kind in ("cron", "systemd") else ""
    return f"\n{comment}{variable} is a secret too: put it beside the key."


def _credentials_variable(engine: str) -> str:
    return f"DESTINATION__{engine.upper()}__CREDENTIALS"


def _airflow_variable(engine: str) -> str:
    return f"cekura_{engine}_credentials"


def _in_comments(job: Job) -> dict[str, str]:
    """Values for the comments of every file."""
    return {
        "every": duration_text(job.every),
        "env_file": quoting.shell([str(job.env_file)]),
        "env_directory": quoting.shell([str(job.env_file.parent)]),
        "max_age": job.max_age(),
        "status": quoting.shell([*this_command(), *job.check(*job.place)]),
        "version": __version__,
        "into": _ENGINES[job.engine] if job.engine else "a DuckDB warehouse",
        "below": "The command below exists on"
        if job.engine
        else "The command and the warehouse below exist on",
    }


def _here(job: Job, *more: str) -> list[str]:
    """The command for this machine."""
    return [*this_command(), "sync", *job.place, *job.options, *more]


def _elsewhere(job: Job, *more: str) -> list[str]:
    """The command for our container image, with the warehouse at its place there."""
    return ["sync", "--warehouse", _warehouse_in_container(job), *job.options, *more]


def _warehouse_in_container(job: Job) -> str:
    return f"{_IN_CONTAINER}/{job.warehouse.name}"


def _cron(job: Job) -> dict[str, str]:
    return {
        "times": job.cron(),
        "source": quoting.cron([str(job.env_file)]),
        "command": quoting.cron(_here(job, "--quiet")),
    }


def _systemd(job: Job) -> dict[str, str]:
    system = os.geteuid() == 0
    return {
        "source": quoting.systemd_pattern(str(job.env_file)),
        "directory": quoting.systemd_path(str(job.warehouse.parent)),
        "command": quoting.systemd(_here(job, "--every", duration_text(job.every))),
        "units": "/etc/systemd/system" if system else "~/.config/systemd/user",
        "systemctl": "systemctl" if system else "systemctl --user",
        "stays": "Add User= to run it as another user than root."
        if system
        else "To keep it running while you are logged out: loginctl enable-linger",
        "target": "multi-user.target" if system else "default.target",
        "sandbox": _sandbox(job) if system else _NO_SANDBOX,
    }


# What follows needs namespaces, which many machines do not allow a user's own services.
_NO_SANDBOX = (
    "\n# A service of the system, printed as root, also gets a file system that is read only elsewhere."
)
_SANDBOX = """
# Everything but these directories is read only.
ProtectSystem=strict
ReadWritePaths={paths}
ProtectHome=read-only
PrivateTmp={private_tmp}
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallFilter=@system-service
# To give a new file the owner and the mode of the one that it replaces.
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER"""
_TEMPORARY = "/tmp"  # noqa: S108 - as systemd means it


def _sandbox(job: Job) -> str:
    written = list(dict.fromkeys(str(path) for path in (job.warehouse.parent, *job.written)))
    in_tmp = any(Path(path).is_relative_to(_TEMPORARY) for path in written)
    paths = [*written, *([_TEMPORARY] if in_tmp else [])]
    return _SANDBOX.format(paths=quoting.systemd_paths(paths), private_tmp="no" if in_tmp else "yes")


def _docker(job: Job) -> dict[str, str]:
    every = duration_text(job.every)
    user, group = (os.getuid(), os.getgid()) if os.getuid() else (_IMAGE_USER, _IMAGE_USER)
    healthy = ["CMD", "cekura-sync", *job.check()]
    return {
        "image": quoting.compose(job.image),
        "image_word": quoting.shell([job.image]),
        "arguments": quoting.compose(_elsewhere(job, "--every", every)),
        "user": quoting.compose(f"{user}:{group}"),
        "owner": ""
        if os.getuid()
        else f"\n# Let the user of the container own it: chown {user}:{group} {quoting.shell([str(job.warehouse.parent)])}",
        "source": quoting.compose(str(job.env_file)),
        "directory": quoting.compose(str(job.warehouse.parent)),
        "container": quoting.compose(_IN_CONTAINER),
        "warehouse": quoting.compose(_warehouse_in_container(job)),
        "healthy": quoting.compose(healthy),
    }


def _kubernetes(job: Job) -> dict[str, str]:
    return {
        "times": quoting.yaml(job.cron()),
        "image": quoting.yaml(job.image),
        "image_word": quoting.shell([job.image]),
        "arguments": quoting.kubernetes(_elsewhere(job)),
        "container": quoting.yaml(_IN_CONTAINER),
    }


def _github(job: Job) -> dict[str, str]:
    if job.every < timedelta(minutes=5):
        raise SettingsError("GitHub starts workflows at most every five minutes: use --every 5m or more.")
    warehouse = f"warehouse/{job.warehouse.name}"
    return {
        "times": quoting.yaml(job.cron()),
        "runs": f"{timedelta(days=30) // job.every:,}",
        "command": quoting.github(
            quoting.shell(["cekura-sync", "sync", "--warehouse", warehouse, *job.options])
        ),
    }


def _airflow(job: Job) -> dict[str, str]:
    engine = job.engine and (
        f', "{_credentials_variable(job.engine)}": Variable.get("{_airflow_variable(job.engine)}")'
    )
    return {
        "engine_variable": engine or "",
        "seconds": str(int(job.every.total_seconds())),
        "command": quoting.python(_here(job, "--json", "--quiet")),
    }


def _dagster(job: Job) -> dict[str, str]:
    return {"times": repr(job.cron()), "command": quoting.python(_here(job, "--json", "--quiet"))}


# For each kind, the text about a secret that is set here, and the lines that pass it on.
_IN_FILE = ("\n# {is_secret} add a line {name}='…' to that file.", "")
_SECRETS = {
    "cron": _IN_FILE,
    "systemd": _IN_FILE,
    "docker": _IN_FILE,
    "kubernetes": (
        "\n# {is_secret} add --from-file={key}=FILE_WITH_THE_ADDRESS_ALONE to that line.",
        """
                - name: {name}
                  valueFrom:
                    secretKeyRef:
                      name: cekura-sync
                      key: {key}""",
    ),
    "github": (
        "\n# {is_secret}\n#   gh secret set {name}",
        "\n          {name}: ${{{{ secrets.{name} }}}}",
    ),
    "airflow": ("\n\n{is_secret} set it in the environment of the workers.", ""),
    "dagster": ("\n{is_secret} put it beside the key.", ""),
}


def _secrets(kind: str, job: Job) -> tuple[str, str]:
    """For the comments on top, and for the variables of the job."""
    goes, variables = _SECRETS[kind]
    words = [
        {
            "name": name,
            "key": name.removeprefix("CEKURA_").lower(),
            "is_secret": f"{name} is set here. It is a secret too:",
        }
        for name in job.secrets
    ]
    return "".join(goes.format(**each) for each in words), "".join(variables.format(**each) for each in words)


KINDS: Mapping[str, tuple[str, Callable[[Job], dict[str, str]]]] = {
    "cron": ("cron.tmpl", _cron),
    "systemd": ("systemd.service.tmpl", _systemd),
    "docker": ("docker.yaml.tmpl", _docker),
    "kubernetes": ("kubernetes.yaml.tmpl", _kubernetes),
    "github": ("github.yaml.tmpl", _github),
    "airflow": ("airflow.py.tmpl", _airflow),
    "dagster": ("dagster.py.tmpl", _dagster),
}
