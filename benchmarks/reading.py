"""``GET /promotions/{id}`` from the cache: hot path against HOT_PATH=off, and while an import runs."""

from concurrent.futures import ThreadPoolExecutor

import psycopg

from benchmarks.hot import measure_hot
from benchmarks.importing import import_sample
from benchmarks.load import LoadResult, get_request, run_load
from benchmarks.report import Report
from promotions.tables import table_names
from tests.acceptance.harness import Stack

IDS = 2_000
SAMPLE_ROWS = 100_000
PACE = 400  # requests a second, so that latency shows and not the queue of a full server
REACH_HOT = 6.0
REACH_P99 = 3.0


def measure_reads(stack: Stack, report: Report, *, seconds: float, rounds: int) -> None:
    requests = promotion_requests(stack)
    what = "GET /promotions/{id}, cached"
    measure_hot(stack, report, what, lambda _: requests, reach=REACH_HOT, seconds=seconds, rounds=rounds)


def measure_reads_during_import(stack: Stack, report: Report, *, rows: int) -> None:
    """Readers at a steady pace, idle and then through an import with its publish."""
    requests = promotion_requests(stack)
    idle = run_load(stack.port, requests, connections=8, seconds=10, per_second=PACE)
    with ThreadPoolExecutor(1) as pool:
        importing = pool.submit(import_sample, stack, rows)
        busy = LoadResult()
        while not importing.done():
            busy += run_load(stack.port, requests, connections=8, seconds=2, per_second=PACE)
        importing.result()
    errors = busy.broken + sum(count for status, count in busy.statuses.items() if status not in (200, 404))
    ratio = busy.percentile(0.99) / idle.percentile(0.99)
    report.add(
        f"{PACE} reads/s during an import of {rows:,} rows",
        f"p99 {1e3 * busy.percentile(0.99):.1f} ms, {errors} errors",
        f"idle p99 {1e3 * idle.percentile(0.99):.1f} ms",
        f"{ratio:.1f} x",
        f"<= {REACH_P99:.0f} x, 0 errors",
        ok=ratio <= REACH_P99 and not errors,
    )


def promotion_requests(stack: Stack) -> list[bytes]:
    """Requests for rows of a version published for the purpose."""
    import_sample(stack, SAMPLE_ROWS)
    with psycopg.connect(stack.database_url) as connection:
        live = connection.execute("SELECT version, table_count FROM promotions_pointer").fetchone()
        names = table_names(*live) if live else []
        ids = [row for name in names for row in connection.execute(f"SELECT id FROM {name} LIMIT {IDS // len(names)}")]
    return [get_request(f"/promotions/{row_id}") for (row_id,) in ids]
