"""The command that checks everything that a sync needs."""

import json
import sys
from typing import Any

import click

from cekura_sync import settings
from cekura_sync.commands.options import destination_option, engine_of, warehouse_option
from cekura_sync.console import terminal

MARKS = {"ok": "✓", "warning": "!", "error": "✗"}


@click.command(short_help="Check what a sync needs, and say what to do.")
@click.option(
    "--api-url",
    metavar="URL",
    help=f"The API's address.  [env var: CEKURA_API_URL; default: {settings.API_URL}]",
)
@click.option(
    "--api-version",
    metavar="|".join(settings.API_VERSIONS),
    help=f"API version in the path.  [env var: CEKURA_API_VERSION; default: {settings.API_VERSION}]",
)
@click.option(
    "--allow-http", is_flag=True, help="Allow plain http to other machines. The key is then sent unencrypted."
)
@warehouse_option
@destination_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def doctor(as_json: bool, warehouse: str, destination: str | None, **options: Any) -> None:
    """Check key, API, disk, locks and warehouse, and say what to do about each finding. Changes nothing."""
    engine = engine_of(destination)
    from cekura_sync.doctor import examine

    findings = []
    for finding in examine(options | ({} if engine else {"warehouse": warehouse}), warehouse, engine):
        findings.append(finding)
        if not as_json:
            mark = MARKS[finding.level] if _shows_marks() else " "
            click.echo(f"{mark} {finding.level:8} {finding.check:12} {terminal.plain(finding.message)}")
    code = next((finding.code for finding in findings if finding.code), 0)
    if as_json:
        listed = [
            {"check": finding.check, "level": finding.level, "message": finding.message}
            for finding in findings
        ]
        click.echo(json.dumps({"exit_code": int(code), "findings": listed}))
    if code:
        raise SystemExit(code)


def _shows_marks() -> bool:
    try:
        "".join(MARKS.values()).encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
