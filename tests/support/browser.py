"""A real browser for the report: Chromium without a window, and nothing of it outside a directory of the test's own."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Any

from support.harness import PATIENCE

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip

DARK = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")
OF_THE_BROWSER = "not an origin"  # who asks, where Chromium itself does

# Looks at the page from outside, in a frame as wide as a phone or a wall: the page itself runs no program.
LOOK = """<!doctype html><body><iframe style="width:@WIDTH@px;height:900px;border:0" srcdoc="@PAGE@"></iframe>
<pre id="seen"></pre><script>addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const box = e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom] };
  const style = e => page.defaultView.getComputedStyle(e);
  document.getElementById("seen").textContent = JSON.stringify({
    text: page.body.textContent,
    scripts: page.scripts.length,
    width: page.documentElement.scrollWidth,
    ground: style(page.querySelector("article") || page.body).backgroundColor,
    cut: [...page.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent),
    rows: [...page.querySelectorAll(".charts")].map(row => ({
      box: box(row),
      cards: [...row.children].map(box)
    })),
    charts: [...page.querySelectorAll("svg")].map(svg => ({
      name: svg.getAttribute("aria-label"),
      box: box(svg),
      colours: [...svg.querySelectorAll("[fill^=var], [stroke^=var]")].flatMap(e => [style(e).fill, style(e).stroke]),
      texts: [...svg.querySelectorAll("text")].filter(e => e.getAttribute("opacity") !== "0")
        .map(e => ({text: e.textContent, box: box(e)}))
    }))
  });
})</script>"""


@dataclass(frozen=True)
class Visit:
    """What the browser did and said."""

    out: str
    console: list[str]
    requests: list[str]


def visit(url: str, folder: Path, *options: str) -> Visit:
    assert CHROMIUM
    log = folder / "net-log.json"
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={log}",
        *options,
        url,
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    console = [line for line in ran.stderr.splitlines() if ":CONSOLE" in line]
    return Visit(ran.stdout, console, requested(log))


def look(page: Path, folder: Path, width: int, *options: str) -> tuple[Visit, dict[str, Any]]:
    """The page as laid out at this width."""
    outer = folder / "look.html"
    html = escape(page.read_text(encoding="utf-8"))
    outer.write_text(LOOK.replace("@WIDTH@", str(width)).replace("@PAGE@", html), encoding="utf-8")
    seen = visit(outer.as_uri(), folder, "--dump-dom", *options)
    _, _, found = seen.out.partition('<pre id="seen">')
    return seen, json.loads(unescape(found.partition("</pre>")[0]))


def requested(log: Path) -> list[str]:
    """URLs of everything that the page asked the network for."""
    text = log.read_text(encoding="utf-8", errors="replace").rstrip().removesuffix(",")
    try:
        events = json.loads(text)
    except ValueError:  # the browser was stopped while it wrote
        events = json.loads(text.rstrip("]}, \n") + "}]}")
    asked = [event.get("params", {}) for event in events["events"]]
    urls = {str(each["url"]) for each in asked if each.get("initiator", OF_THE_BROWSER) != OF_THE_BROWSER}
    return sorted(url for url in urls if not url.startswith(("file:", "data:", "about:")))
