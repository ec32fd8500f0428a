#!/usr/bin/env python3
"""Opens a run's report in a browser without a window, and looks at what became of it.

    python3 tests/readers/open_report.py runs/first/report.html CHART=COUNT ... [--text TEXT ...]

The console has to be silent, as many drawings of each kind have to be there (`lines`, `thaw`, `matrix`, `bars`), each with something in
it, no script, and every TEXT as text. Needs Chromium, as `chromium` or by the variable CHROMIUM.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

SHAPES = {"path", "polyline", "rect", "circle", "line"}


class Page(HTMLParser):
    """Drawings with their number of shapes, scripts, and the text of a page as the browser has it."""

    def __init__(self, html):
        super().__init__()
        self.drawings, self.scripts, self.words, self.inside = [], 0, [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "svg":
            classes = (dict(attributes).get("class") or "").split()
            self.drawings.append([classes, 0])
            self.inside = True
        elif tag == "script":
            self.scripts += 1
        elif tag in SHAPES and self.inside:
            self.drawings[-1][1] += 1

    def handle_endtag(self, tag):
        if tag == "svg":
            self.inside = False

    def handle_data(self, data):
        self.words.append(data)


def opened(report, width):
    """The page that a browser makes of a file, and what its console says."""
    with tempfile.TemporaryDirectory() as profile:
        command = [os.environ.get("CHROMIUM", "chromium"), "--headless=new", "--no-sandbox", "--disable-gpu",
                   f"--user-data-dir={profile}", f"--window-size={width},900", "--enable-logging=stderr",
                   "--virtual-time-budget=2000", "--dump-dom", report.resolve().as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("report", type=Path)
    parser.add_argument("charts", nargs="*")
    parser.add_argument("--text", action="append", default=[])
    arguments = parser.parse_args()
    for width in (1200, 400):
        html, console = opened(arguments.report, width)
        assert not console, f"{width} pixels: {console}"
        page = Page(html)
        assert page.scripts == 0, f"{page.scripts} scripts"
        for kind, _, count in (chart.partition("=") for chart in arguments.charts):
            shapes = [shapes for classes, shapes in page.drawings if kind in classes]
            assert len(shapes) == int(count) and all(shapes), f"{kind}: shapes {shapes}, expected {count} drawings"
        for text in arguments.text:
            assert any(text in word for word in page.words), f"`{text}` is not shown"
    print(f"{arguments.report}: {len(page.drawings)} drawings")


if __name__ == "__main__":
    sys.exit(main())
