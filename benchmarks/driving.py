"""Load as hard as a server takes it: by wrk where it is installed, which costs a fifth of Python's generator."""

import json
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.load import LoadResult, run_load
from benchmarks.processes import cpu_seconds
from tests.acceptance.harness import Stack

# Requests come as they are written, from a file: a script may not hold so many constants.
_SCRIPT = """
local requests, at = {{}}, 0
local file = io.open("{requests}", "rb")
for size in function() return file:read("*n", 1) end do requests[#requests + 1] = file:read(size) end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary, latency)
    local errors = summary.errors
    io.stderr:write(string.format(
        '{{"seconds": %f, "answers": %d, "refused": %d, "broken": %d, "p50": %f, "p99": %f}}',
        summary.duration / 1e6, summary.requests, errors.status, errors.connect + errors.read + errors.write,
        latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""


@dataclass(frozen=True, kw_only=True)
class Driven:
    """What a run of load brought.

    Attributes:
        driver: wrk or python.
        answers: of any status; ``refused`` are those from 400 on, ``broken`` connections that ended without one.
        p50, p99: seconds from a request to its answer.
        cpu: seconds of the web processes per answer; 0 where they are not known.
    """

    driver: str
    seconds: float
    answers: int
    refused: int
    broken: int
    p50: float
    p99: float
    cpu: float = 0.0

    @property
    def per_second(self) -> float:
        return self.answers / self.seconds

    @property
    def accepted_per_second(self) -> float:
        return (self.answers - self.refused) / self.seconds

    @property
    def figures(self) -> dict[str, float | str]:
        """As a report keeps them."""
        return {
            "driver": self.driver,
            "per_second": round(self.per_second, 1),
            "p50_ms": round(1e3 * self.p50, 2),
            "p99_ms": round(1e3 * self.p99, 2),
            "cpu_us": round(1e6 * self.cpu, 1),
        }


def drive(
    port: int, requests: Sequence[bytes], *, connections: int, seconds: float, stack: Stack | None = None
) -> Driven:
    """Send ``requests`` round and round on kept connections, the next one when an answer came.

    Args: stack: whose web processes are asked for their CPU time.
    """
    pids = stack.pids("web") if stack else []
    before = cpu_seconds(pids)
    run = _by_wrk if shutil.which("wrk") else _by_python
    driven = run(port, requests, connections, seconds)
    return Driven(**{**vars(driven), "cpu": (cpu_seconds(pids) - before) / driven.answers})


def answered(stack: Stack) -> Counter[str]:
    """How many requests the server has answered so far, by status: wrk counts no more than errors."""
    text = httpx.get(f"{stack.url}/metrics", timeout=10).raise_for_status().text
    statuses = Counter[str]()
    for family in text_string_to_metric_families(text):
        for sample in family.samples if family.name == "floodgate_requests" else ():
            statuses[sample.labels["status"]] += int(sample.value)
    return statuses


def _by_wrk(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Driven:
    with tempfile.TemporaryDirectory(prefix="fg-wrk-") as folder:
        data, script = Path(folder) / "requests", Path(folder) / "script.lua"
        data.write_bytes(b"".join(b"%d\n%b" % (len(request), request) for request in requests))
        script.write_text(_SCRIPT.format(requests=data))
        limits = ["-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "10s", "-s", str(script)]
        command = ["wrk", *limits, f"http://127.0.0.1:{port}"]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    return Driven(driver="wrk", **json.loads(told))


def _by_python(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Driven:
    return as_driven(run_load(port, requests, connections=connections, seconds=seconds))


def as_driven(result: LoadResult) -> Driven:
    """What Python's generator brought, in the same words."""
    return Driven(
        driver="python",
        seconds=result.seconds,
        answers=result.statuses.total(),
        refused=sum(count for status, count in result.statuses.items() if status >= 400),
        broken=result.broken,
        p50=result.percentile(0.5),
        p99=result.percentile(0.99),
    )
