"""``make alert-drill``: exit code 1 when an alert did not fire or did not clear."""

import argparse
import shutil
import tempfile
from pathlib import Path

from tests.alerts.drill import run_drill
from tests.alerts.faults import FAULTS
from tests.alerts.watchers import missing_programs


def main() -> int:
    arguments = _arguments()
    if missing := missing_programs():
        print(f"skipped: {', '.join(missing)} not here; on Debian: apt install prometheus prometheus-alertmanager")
        print("  prometheus-postgres-exporter prometheus-redis-exporter prometheus-blackbox-exporter")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="fg-alerts-"))
    try:
        is_well = run_drill(
            folder,
            [fault for fault in FAULTS if not arguments.faults or fault.name in arguments.faults],
            lambda line: print(line, flush=True),
            screenshots=arguments.screenshots,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if is_well else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.alerts", description=__doc__)
    parser.add_argument("faults", nargs="*", help=f"some of: {', '.join(fault.name for fault in FAULTS)}")
    parser.add_argument("--screenshots", type=Path, help="folder for pictures of the dashboards' data, with chromium")
    arguments = parser.parse_args()
    if unknown := set(arguments.faults) - {fault.name for fault in FAULTS}:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    return arguments


if __name__ == "__main__":
    raise SystemExit(main())
