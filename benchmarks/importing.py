"""Import of a file of promotions against ``psql \\copy`` of its cleaned rows plus primary key, on one server."""

import re
import subprocess
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg

from benchmarks.processes import memory_bytes
from benchmarks.report import Report, median, progress, spread
from devstack.wheels import postgres_bin
from promotions.rows.samples import write_sample
from tests.acceptance.harness import Stack

ENDED = ("published", "superseded", "quarantined", "failed", "cancelled")
REACH_RATIO = 0.7
REACH_MEBIBYTES = 400


def measure_import(stack: Stack, report: Report, *, rows: int, rounds: int) -> None:
    """Alternate the import and its reference; both start with a finished checkpoint."""
    dirty = stack.data_dir / "imports" / "bench.csv"
    clean = stack.data_dir / "clean.csv"
    progress(f"writing {rows:,} rows")
    write_sample(dirty, rows, bad_share=0.001, duplicates=rows // 10_000)
    progress(describe(import_file(stack, dirty.name)))
    _write_clean(stack, dirty, clean)
    ours, theirs = [], []
    for _ in range(rounds):
        _checkpoint(stack)
        theirs.append(_copy_with_psql(stack, clean))
        _checkpoint(stack)
        with Stages(stack) as stages:
            ended = import_file(stack, dirty.name)
        ours.append(seconds_of(ended))
        progress(f"psql {theirs[-1]:.2f} s, import {ours[-1]:.2f} s; {describe(ended)}; {stages}")
        _drop_old_tables(stack)
    ratio = median([mine / reference for mine, reference in zip(ours, theirs, strict=True)])
    what = f"import of {rows:,} rows"
    report.add(
        what,
        spread(ours),
        f"psql \\copy + key {spread(theirs)}",
        f"{ratio:.2f} x",
        f"<= {REACH_RATIO} x",
        ok=ratio <= REACH_RATIO,
    )
    dirty.unlink()
    clean.unlink()


def measure_memory(stack: Stack, report: Report, *, sizes: tuple[int, int]) -> None:
    """Peak memory of all import processes together, for a small and a large file."""
    peaks = []
    for rows in sizes:
        with PeakMemory(stack) as peak:
            progress(describe(import_sample(stack, rows)))
        progress(f"peak of import processes with {rows:,} rows: {peak.mebibytes:.0f} MiB")
        peaks.append(peak.mebibytes)
        _drop_old_tables(stack)
    small, large = peaks
    ok = max(peaks) <= REACH_MEBIBYTES and large <= 1.2 * small
    report.add(
        f"import memory, {sizes[1]:,} rows",
        f"{large:.0f} MiB",
        f"{sizes[0]:,} rows: {small:.0f} MiB",
        f"{large / small:.2f} x",
        f"flat, <= {REACH_MEBIBYTES} MiB",
        ok=ok,
    )


def import_sample(stack: Stack, rows: int) -> dict[str, Any]:
    """Import a file made for the purpose; its final state."""
    path = stack.data_dir / "imports" / f"sample-{rows}.csv"
    write_sample(path, rows, seed=rows)
    try:
        return import_file(stack, path.name)
    finally:
        path.unlink()


def import_file(stack: Stack, name: str) -> dict[str, Any]:
    """Submit over HTTP and wait for the end."""
    with httpx.Client(base_url=stack.url, timeout=10) as client:
        submitted = client.post("/process-csv", data={"filename": name})
        submitted.raise_for_status()
        deadline = time.monotonic() + 1_800
        while (state := client.get(submitted.json()["status_url"]).json())["status"] not in ENDED:
            assert time.monotonic() < deadline, state
            time.sleep(0.2)
    assert state["status"] == "published", state
    return dict(state)


def seconds_of(state: dict[str, Any]) -> float:
    """From the submission to the moment when readers have it, by the server's own clock."""
    start, end = (datetime.fromisoformat(state[name]) for name in ("created_at", "finished_at"))
    return (end - start).total_seconds()


def describe(state: dict[str, Any]) -> str:
    counts = {name: state[f"rows_{name}"] for name in ("loaded", "rejected", "duplicate", "blank")}
    return f"import {state['id']}: {seconds_of(state):.2f} s, {counts}"


class Sampler:
    """Looks again and again, on a thread, while a block runs."""

    interval = 0.1

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self.interval):
            self.look()

    def look(self) -> None:
        raise NotImplementedError


class Stages(Sampler):
    """How long the newest import is in which status. Loading begins while planning goes on."""

    interval = 0.02

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self._database_url = stack.database_url
        self.seconds: dict[str, float] = {}

    def __str__(self) -> str:
        return ", ".join(f"{status} {seconds:.2f} s" for status, seconds in self.seconds.items())

    def _watch(self) -> None:
        with psycopg.connect(self._database_url, autocommit=True) as self._connection:
            self._last = time.perf_counter()
            super()._watch()

    def look(self) -> None:
        newest = self._connection.execute("SELECT status FROM promotions_import ORDER BY id DESC LIMIT 1").fetchone()
        status, now = (newest or ("",))[0], time.perf_counter()
        if status not in ENDED:
            self.seconds[status] = self.seconds.get(status, 0.0) + now - self._last
        self._last = now


class PeakMemory(Sampler):
    """Samples the resident memory of the import processes; pages that they share count once (PSS)."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self._pids = stack.pids("worker-imports")
        self.mebibytes = 0.0

    def look(self) -> None:
        self.mebibytes = max(self.mebibytes, memory_bytes(self._pids) / 2**20)


def _write_clean(stack: Stack, dirty: Path, clean: Path) -> None:
    """The rows that the last import loaded, in the source's own text; zone names go, which PostgreSQL does not know."""
    with psycopg.connect(stack.database_url) as connection:
        newest = "(SELECT max(id) FROM promotions_import)"
        rejected = connection.execute(
            f"SELECT line FROM promotions_reject WHERE source_import_id = {newest}"
        ).fetchall()
    left_out = {line for (line,) in rejected}
    with dirty.open() as source, clean.open("w") as target:
        for number, line in enumerate(source, start=1):
            if number not in left_out:
                target.write(line[: line.rindex(" ")] + "\n")


def _copy_with_psql(stack: Stack, path: Path) -> float:
    script = (
        "DROP TABLE IF EXISTS reference;",
        "CREATE TABLE reference (id uuid NOT NULL, price numeric NOT NULL, expiration_date timestamptz NOT NULL);",
    )
    psql(stack, *script)
    started = time.perf_counter()
    psql(stack, f"\\copy reference from '{path}' with (format csv)", "ALTER TABLE reference ADD PRIMARY KEY (id)")
    seconds = time.perf_counter() - started
    psql(stack, "DROP TABLE reference")
    return seconds


def _checkpoint(stack: Stack) -> None:
    psql(stack, "CHECKPOINT")


def _drop_old_tables(stack: Stack) -> None:
    """What retention does after ten minutes, so that the disk of a benchmark stays small."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        live = connection.execute("SELECT version FROM promotions_pointer").fetchone() or (0,)
        names = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^promotions_v[0-9]'"
        )
        for (name,) in names.fetchall():
            if not re.match(f"promotions_v{live[0]}(_|$)", name):
                connection.execute(f"DROP TABLE {name}")


def psql(stack: Stack, *commands: str) -> None:
    """Run commands of SQL or psql. Raises CalledProcessError."""
    arguments = [part for command in commands for part in ("-c", command)]
    subprocess.run(
        [postgres_bin() / "psql", "-q", "-v", "ON_ERROR_STOP=1", stack.database_url, *arguments],
        check=True,
        timeout=600,
        capture_output=True,
    )
