"""``make bench``: start a stack on throw-away data, measure, print one table; exit code 1 when a figure is missed."""

import argparse
import tempfile
from pathlib import Path

from benchmarks.appending import measure_appends
from benchmarks.counting import measure_bulk, measure_flush, measure_increments
from benchmarks.crowd import measure_crowd
from benchmarks.idle import measure_idle
from benchmarks.importing import measure_import, measure_memory
from benchmarks.log import measure_log
from benchmarks.outages import measure_outages
from benchmarks.pricing import measure_rates
from benchmarks.reading import measure_reads, measure_reads_during_import
from benchmarks.redeeming import measure_redemptions, measure_rejections
from benchmarks.report import Report, read_rows
from benchmarks.servers import LIMITS
from tests.acceptance.harness import running_stack

PARTS = (
    "idle",
    "import",
    "reads",
    "beside",
    "crowd",
    "memory",
    "increments",
    "bulk",
    "flush",
    "redeem",
    "rejections",
    "append",
    "log",
    "rates",
    "outages",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=PARTS, help=f"some of: {' '.join(PARTS)}")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of load in each round")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--compare", type=Path, help="file of an earlier run, for a column of its figures")
    arguments = parser.parse_args()
    before = read_rows(arguments.compare) if arguments.compare else None
    report = Report()
    if "idle" in arguments.parts:  # on a stack that has done nothing yet, with the settings of `make run`
        with tempfile.TemporaryDirectory(prefix="fg-bench-") as folder, running_stack(Path(folder) / "data") as stack:
            measure_idle(stack, report)
    with tempfile.TemporaryDirectory(prefix="fg-bench-") as folder:
        data_dir = Path(folder) / "data"
        with running_stack(
            data_dir, IMPORT_MAX_SHRINK_SHARE="1", LOG_FORMAT="json", ACCESS_LOG="off", **LIMITS
        ) as stack:
            if "import" in arguments.parts:
                measure_import(stack, report, rows=arguments.rows, rounds=arguments.rounds)
            if "reads" in arguments.parts:
                measure_reads(stack, report, seconds=arguments.seconds, rounds=arguments.rounds)
            if "beside" in arguments.parts:
                measure_reads_during_import(stack, report, rows=arguments.rows)
            if "crowd" in arguments.parts:
                measure_crowd(stack, report)
            if "increments" in arguments.parts:
                measure_increments(stack, report, seconds=arguments.seconds, rounds=arguments.rounds)
            if "bulk" in arguments.parts:
                measure_bulk(stack, report, seconds=arguments.seconds, rounds=arguments.rounds)
            if "flush" in arguments.parts:
                measure_flush(stack, report)
            if "redeem" in arguments.parts:
                measure_redemptions(stack, report, seconds=arguments.seconds, rounds=arguments.rounds)
            if "rejections" in arguments.parts:
                measure_rejections(stack, report, seconds=arguments.seconds, rounds=arguments.rounds)
            if "append" in arguments.parts:
                measure_appends(stack, report, seconds=arguments.seconds, rounds=arguments.rounds)
            if "log" in arguments.parts:
                measure_log(stack, report, seconds=12 * arguments.seconds)
            if "rates" in arguments.parts:
                measure_rates(stack, report, rows=arguments.rows, rounds=arguments.rounds, seconds=arguments.seconds)
            if "memory" in arguments.parts:
                measure_memory(stack, report, sizes=(1_000_000, 4 * arguments.rows))
    if "outages" in arguments.parts:
        with (
            tempfile.TemporaryDirectory(prefix="fg-bench-") as folder,
            running_stack(Path(folder) / "data", LOG_FORMAT="json", **LIMITS) as stack,
        ):
            measure_outages(stack, report)
    if arguments.json:
        report.write(arguments.json)
    return 0 if report.show(before) else 1


if __name__ == "__main__":
    raise SystemExit(main())
