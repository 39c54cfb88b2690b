"""One run: a stack on throw-away data, scenarios that load it, and kills meanwhile."""

import random
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ALL_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from tests.acceptance.harness import Stack, running_stack
from tests.chaos.kills import TARGETS, Kill, carry_out, plan_kills
from tests.chaos.sabotage import Sabotage
from tests.chaos.scenario import Scenario, Verdict

STACK_RUNS = "the stack starts again what was killed, and leaves no process behind"
PROGRESS_SECONDS = 5.0
Say = Callable[[str], None]


def run_chaos(
    scenarios: Sequence[Scenario], *, seed: int, seconds: float, say: Say, sabotage: Sabotage | None = None
) -> list[Verdict]:
    """Load all scenarios at once for ``seconds``, killing meanwhile what they and the stack are made of.

    Args:   seed: of everything random; what the clock and the kernel decide stays different each time.
            say: takes a line about each kill, and about progress.
            sabotage: a defect to build in. Only its own kills are done then, so that what breaks is its doing.
    Returns: what each scenario found, unless the stack ended; and how the stack did.
    """
    settings = {"DJANGO_SETTINGS_MODULE": sabotage.settings_module} if sabotage else {}
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="fg-chaos-") as folder:
        try:
            with running_stack(Path(folder) / "data", RATE_LIMIT="off", **settings) as stack:
                verdicts += _attack(stack, scenarios, seed, seconds, say, sabotage)
            verdicts.append(Verdict(STACK_RUNS, "nothing was left", is_kept=True))
        except AssertionError as error:
            verdicts.append(Verdict(STACK_RUNS, str(error), is_kept=False))
    return verdicts


def _attack(
    stack: Stack, scenarios: Sequence[Scenario], seed: int, seconds: float, say: Say, sabotage: Sabotage | None
) -> list[Verdict]:
    rng = random.Random(seed)
    kills = sabotage.kills(stack.data_dir) if sabotage else _plan(scenarios, rng, seconds)
    with ThreadPoolExecutor(len(scenarios) + 1) as pool:
        work = [pool.submit(each.load, stack, random.Random(rng.getrandbits(64)), seconds) for each in scenarios]
        work.append(pool.submit(carry_out, stack, kills, rng, say))
        while wait(work, PROGRESS_SECONDS, ALL_COMPLETED).not_done:
            say("         " + "; ".join(each.progress() for each in scenarios))
    assert stack.process.poll() is None, f"it ended: {stack.log.splitlines()[-1]}"
    for done in work:
        done.result()
    return [verdict for each in scenarios for verdict in each.verdicts(stack)]


def _plan(scenarios: Sequence[Scenario], rng: random.Random, seconds: float) -> list[Kill]:
    return plan_kills(
        rng, list(dict.fromkeys([*TARGETS, *(name for each in scenarios for name in each.targets)])), seconds
    )
