"""Draws docs/report.png, the picture of the report in the README, from the page that the demo writes: `make screenshot`."""

import subprocess
import sys
import tempfile
from pathlib import Path

from cekura_sync import demo
from support.answers import ROOT
from support.browser import CHROMIUM, visit

PICTURE = ROOT / "docs" / "report.png"
WIDTH, HEIGHT = 1000, 980

if __name__ == "__main__":
    if CHROMIUM is None:
        raise SystemExit(
            "Chromium draws the picture, and it is not installed here: install it and try again."
        )
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "cekura_sync", "demo"], cwd=folder, check=True)
        page = Path(folder, demo.PAGE).as_uri()
        visit(page, Path(folder), f"--screenshot={PICTURE}", f"--window-size={WIDTH},{HEIGHT}")
