"""Whether the dashboards and rules have anything to show: each metric, each expression, and a picture to look at.

Grafana itself is not here; the picture is a page of our own with what Prometheus answers to each panel.
"""

import html
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

from tests.alerts.shortened import MONITORING
from tests.alerts.watchers import Watchers

# Words of expressions that are no metrics; names of ours have at least two parts.
NAME = re.compile(r"\b(?:floodgate|django|process|pg|redis|caddy|probe|prometheus)_[a-z0-9_]+\b|\bup\b")
# Series that come with what they count: a refusal, a task that failed, a fault.
RARE = {
    "floodgate_rate_limited_total",
    "floodgate_timestamps_refused_total",
    "floodgate_increments_refused_total",
    "floodgate_vouchers_refused_total",
}


def check_metrics(watchers: Watchers) -> list[str]:
    """Names in rules and dashboards that no target tells."""
    paths = [*MONITORING.glob("rules/*.yml"), *MONITORING.glob("grafana/dashboards/*.json")]
    texts = [path.read_text() for path in paths]
    wanted = {name for text in texts for name in NAME.findall(text)} - {"prometheus_client"}
    known = set(httpx.get(f"{watchers.prometheus}/api/v1/label/__name__/values").json()["data"])
    return [f"no target tells {name}" for name in sorted(wanted - known - RARE)]


def check_dashboards(watchers: Watchers, pictures: Path | None) -> list[str]:
    """Panels without data."""
    empty = []
    for path in sorted((MONITORING / "grafana/dashboards").glob("*.json")):
        board = json.loads(path.read_text())
        panels = {panel["title"]: _answers(watchers, panel) for panel in board["panels"]}
        without = [title for title, lines in panels.items() if not lines and title not in QUIET]
        empty += [f"{board['title']}: {title} is empty" for title in without]
        if pictures:
            pictures.mkdir(parents=True, exist_ok=True)
            _draw(board["title"], panels, pictures / f"{path.stem}.png")
    return empty


STYLE = (
    "body{font:12px sans-serif}section{display:inline-block;width:48%;vertical-align:top}"
    "svg{width:98%;height:130px;background:#f4f4f4}"
)
QUIET = {"Over a rate limit"}  # without a flood there is nothing to show
Lines = dict[str, list[tuple[float, float]]]


def _answers(watchers: Watchers, panel: dict[str, Any]) -> Lines:
    """Points of each line, by what its legend says."""
    now = time.time()
    lines: Lines = {}
    for target in panel["targets"]:
        expression = target["expr"].replace("$__rate_interval", "15s")
        span = {"query": expression, "start": now - 60, "end": now, "step": 3}
        answer = httpx.get(f"{watchers.prometheus}/api/v1/query_range", params=span, timeout=10).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        for series in answer["data"]["result"]:
            legend = _legend(target["legendFormat"], series["metric"])
            points = [(at, float(value)) for at, value in series["values"] if value not in ("NaN", "+Inf", "-Inf")]
            if points:
                lines[legend] = points
    return lines


def _legend(text: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda name: labels.get(name[1], ""), text)


def _draw(title: str, panels: dict[str, Lines], path: Path) -> None:
    page = path.with_suffix(".html")
    body = "".join(f"<section><h2>{html.escape(name)}</h2>{_chart(lines)}</section>" for name, lines in panels.items())
    page.write_text(f"<meta charset=utf-8><style>{STYLE}</style><h1>{html.escape(title)}</h1>{body}", encoding="utf-8")
    if chromium := shutil.which("chromium"):
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1400,2000", f"--screenshot={path}"]
        subprocess.run([chromium, *options, page.as_uri()], capture_output=True, timeout=120, check=False)


def _chart(lines: Lines) -> str:
    points = [point for line in lines.values() for point in line]
    if not points:
        return "<p>no data</p>"
    first, last = min(at for at, _ in points), max(at for at, _ in points)
    most = max(value for _, value in points) or 1.0
    drawn = "".join(
        f'<polyline fill="none" stroke="hsl({number * 67 % 360},70%,40%)" points="{_points(line, first, last, most)}"/>'
        for number, line in enumerate(lines.values())
    )
    legend = ", ".join(f"{html.escape(name)}: {line[-1][1]:.4g}" for name, line in lines.items())
    return f'<svg viewBox="0 0 600 105" preserveAspectRatio="none">{drawn}</svg><p>{legend}</p>'


def _points(line: list[tuple[float, float]], first: float, last: float, most: float) -> str:
    width = (last - first) or 1.0
    return " ".join(f"{(at - first) / width * 600:.0f},{100 - value / most * 95:.0f}" for at, value in line)
