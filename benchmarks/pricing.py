"""Rates: a year between two large regions at two sizes, an import against raw COPY, and a batch of uploads."""

import csv
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import httpx

from benchmarks.importing import psql
from benchmarks.load import get_request, run_load
from benchmarks.report import Report, median, progress
from config.env import BASE_DIR
from tests.acceptance.harness import Stack

SIDES = ("east", "west")  # two large regions, each of BRANCHES x BRANCHES regions with PORTS ports
BRANCHES, PORTS = 4, 20
YEAR = date(2025, 1, 1)
DAYS = 365
BATCH_ROWS = 50_000
ENDED = ("finished", "failed", "cancelled")
REACH_GROWTH = 1.5
REACH_ACCEPTED_SECONDS = 1.0
REACH_APPLIED_SECONDS = 3.0
REACH_IMPORT_RATIO = 10.0


def measure_rates(stack: Stack, report: Report, *, rows: int, rounds: int, seconds: float) -> None:
    """The query at a tenth of ``rows`` and at all of them; the imports between are measured too."""
    folder = stack.data_dir / "imports"
    _import_places(stack, folder)
    small, large = rows // 10, rows
    _import_prices(stack, folder, small, seed=1)
    few = _query_seconds(stack, rounds, seconds)
    measure_price_import(stack, report, folder, rows=large - small)
    many = _query_seconds(stack, rounds, seconds)
    _report_growth(report, few, many, small, large)
    measure_batch(stack, report)


def _report_growth(
    report: Report, few: list[tuple[float, float]], many: list[tuple[float, float]], small: int, large: int
) -> None:
    few_p50, few_p99 = _medians(few)
    many_p50, many_p99 = _medians(many)
    ratio = many_p50 / few_p50
    report.add(
        f"GET /rates, a year between two regions of {PORTS * BRANCHES**2} ports, {large:,} prices",
        f"p50 {1e3 * many_p50:.1f} ms, p99 {1e3 * many_p99:.1f} ms",
        f"{small:,} prices: p50 {1e3 * few_p50:.1f} ms, p99 {1e3 * few_p99:.1f} ms",
        f"{ratio:.2f} x",
        f"<= {REACH_GROWTH} x",
        ok=ratio <= REACH_GROWTH,
    )


def _medians(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    return median([p50 for p50, _ in rounds]), median([p99 for _, p99 in rounds])


def _query_seconds(stack: Stack, rounds: int, seconds: float) -> list[tuple[float, float]]:
    """Median and 99th percentile of each round; one request at a time."""
    query = f"date_from={YEAR}&date_to={YEAR + timedelta(DAYS - 1)}"
    requests = [get_request(f"/rates?{query}&origin={a}&destination={b}") for a, b in (SIDES, SIDES[::-1])]
    run_load(stack.port, requests, connections=1, seconds=1)
    found = []
    for _ in range(rounds):
        result = run_load(stack.port, requests, connections=1, seconds=seconds)
        assert set(result.statuses) == {200}, result.statuses
        found.append((result.percentile(0.5), result.percentile(0.99)))
        progress(f"query p50 {1e3 * found[-1][0]:.1f} ms, p99 {1e3 * found[-1][1]:.1f} ms")
    return found


def measure_price_import(stack: Stack, report: Report, folder: Path, *, rows: int) -> None:
    """The file against ``psql \\copy`` of it into an empty table, and the keys of that table behind it; no rollups."""
    path = folder / "prices.csv"
    _write(path, ("orig_code", "dest_code", "day", "price"), _prices(rows, seed=2))
    raw, keys = _copy_with_psql(stack, path)
    ours = _manage(stack, "import_prices", path)
    path.unlink()
    ratio = ours / (raw + keys)
    report.add(
        f"import_prices of {rows:,} rows with checks, keys and rollups",
        f"{ours:.1f} s, {rows / ours:,.0f} rows/s",
        f"psql \\copy {raw:.1f} s + keys {keys:.1f} s",
        f"{ratio:.1f} x ({ours / raw:.1f} x without keys)",
        f"<= {REACH_IMPORT_RATIO:.0f} x",
        ok=ratio <= REACH_IMPORT_RATIO,
    )


def _copy_with_psql(stack: Stack, path: Path) -> tuple[float, float]:
    """Seconds for the rows, and for the keys that prices have."""
    columns = "orig_code text, dest_code text, day date, price numeric"
    psql(stack, f"CREATE TABLE raw_prices (id bigint GENERATED ALWAYS AS IDENTITY, {columns})")
    started = time.perf_counter()
    psql(stack, f"\\copy raw_prices (orig_code, dest_code, day, price) FROM '{path}' (FORMAT csv, HEADER)")
    copied = time.perf_counter()
    psql(
        stack,
        "ALTER TABLE raw_prices ADD PRIMARY KEY (id)",
        "CREATE INDEX ON raw_prices (orig_code, dest_code, day)",
    )
    ended = time.perf_counter()
    psql(stack, "DROP TABLE raw_prices")
    return copied - started, ended - copied


def measure_batch(stack: Stack, report: Report) -> None:
    fields = ("origin_code", "destination_code", "date_from", "price")
    rows = [dict(zip(fields, row, strict=True)) for row in _prices(BATCH_ROWS, seed=3)]
    body = json.dumps([row | {"date_to": row["date_from"], "price": float(row["price"])} for row in rows])
    with httpx.Client(base_url=stack.url, timeout=30, headers={"Content-Type": "application/json"}) as client:
        started = time.perf_counter()
        answer = client.post("/rates/batches", content=body).raise_for_status()
        accepted = time.perf_counter() - started
        state = _wait_for_end(client, answer.headers["Location"])
        applied = time.perf_counter() - started
    assert state["status"] == "finished", state
    for what, took, reach in (
        ("accepted", accepted, REACH_ACCEPTED_SECONDS),
        ("applied", applied, REACH_APPLIED_SECONDS),
    ):
        report.add(
            f"batch of {BATCH_ROWS:,} prices, {what}", f"{took:.2f} s", "", "", f"<= {reach:.0f} s", ok=took <= reach
        )


def _wait_for_end(client: httpx.Client, url: str) -> dict[str, Any]:
    until = time.monotonic() + 120
    while (state := client.get(url).raise_for_status().json())["status"] not in ENDED:
        assert time.monotonic() < until, state
        time.sleep(0.05)
    return dict(state)


def _import_places(stack: Stack, folder: Path) -> None:
    regions, ports = folder / "regions.csv", folder / "ports.csv"
    _write(regions, ("slug", "name", "parent_slug"), _regions())
    codes = (f"{code},{code},{region}".split(",") for side in SIDES for code, region in _ports(side))
    _write(ports, ("code", "name", "parent_slug"), codes)
    _manage(stack, "import_regions", regions)
    _manage(stack, "import_ports", ports)


def _regions() -> Iterator[Sequence[str]]:
    for side in SIDES:
        yield (side, side, "")
        for a in range(BRANCHES):
            yield (f"{side}-{a}", f"{side} {a}", side)
            yield from ((f"{side}-{a}-{b}", f"{side} {a} {b}", f"{side}-{a}") for b in range(BRANCHES))


def _ports(side: str) -> list[tuple[str, str]]:
    places = product(range(BRANCHES), range(BRANCHES), range(PORTS))
    return [(f"{side[0].upper()}{a}{b}{port:02d}", f"{side}-{a}-{b}") for a, b, port in places]


def _import_prices(stack: Stack, folder: Path, rows: int, seed: int) -> None:
    path = folder / "prices.csv"
    _write(path, ("orig_code", "dest_code", "day", "price"), _prices(rows, seed))
    _manage(stack, "import_prices", path)
    path.unlink()


def _prices(rows: int, seed: int) -> Iterator[Sequence[str]]:
    """Random lanes between the two sides, both ways, and random days of the year."""
    rng = random.Random(seed)
    east, west = ([code for code, _ in _ports(side)] for side in SIDES)
    days = [str(YEAR + timedelta(day)) for day in range(DAYS)]
    for number in range(rows):
        lane = (rng.choice(east), rng.choice(west))
        yield (*(lane if number % 2 else lane[::-1]), rng.choice(days), str(rng.randint(500, 5_000)))


def _write(path: Path, header: Sequence[str], rows: Iterator[Sequence[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _manage(stack: Stack, command: str, path: Path) -> float:
    """Seconds that a command took, start of Python included."""
    environment = {"DATA_DIR": str(stack.data_dir), "PATH": "/usr/bin:/bin"}
    started = time.perf_counter()
    subprocess.run([sys.executable, "manage.py", command, str(path)], cwd=BASE_DIR, env=environment, check=True)
    return time.perf_counter() - started
