"""``make chaos``: exit code 1 when a promise was broken. See tests/chaos/__init__.py."""

import argparse
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.harness import LOGS
from tests.chaos.counters.scenario import CountersScenario
from tests.chaos.run import run_chaos
from tests.chaos.sabotage import SABOTAGES
from tests.chaos.scenario import Scenario
from tests.chaos.timestamps.scenario import TimestampsScenario
from tests.chaos.vouchers.scenario import VouchersScenario

SCENARIOS: dict[str, Callable[[], Scenario]] = {
    "counters": CountersScenario,
    "timestamps": TimestampsScenario,
    "vouchers": VouchersScenario,
}


def main() -> int:
    arguments = _arguments()
    print(f"seed {arguments.seed}, {arguments.seconds:.0f} s", flush=True)
    verdicts = run_chaos(
        [SCENARIOS[name]() for name in arguments.scenarios],
        seed=arguments.seed,
        seconds=arguments.seconds,
        say=lambda line: print(line, flush=True),
        sabotage=SABOTAGES.get(arguments.sabotage),
    )
    print(*verdicts, sep="\n")
    if all(verdict.is_kept for verdict in verdicts):
        return 0
    print(f"logs of all parts: {shutil.copytree(LOGS, Path(tempfile.mkdtemp(prefix='fg-chaos-log-')) / 'logs')}")
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", default=[*SCENARIOS], help=f"some of: {' '.join(SCENARIOS)}")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("--seconds", type=float, default=60.0, help="of load; 60 by default")
    parser.add_argument("--sabotage", choices=SABOTAGES, help="build a defect in, which must show")
    arguments = parser.parse_args()
    if unknown := set(arguments.scenarios) - set(SCENARIOS):
        parser.error(f"no such scenario: {' '.join(unknown)}")
    return arguments


if __name__ == "__main__":
    raise SystemExit(main())
