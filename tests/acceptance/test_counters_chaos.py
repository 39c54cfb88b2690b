"""The chaos run in short, and the proof that it finds what it looks for."""

import pytest

from tests.chaos.counters.scenario import COUNTED_ONCE, COUNTED_ONCE_WITH_KEY, CountersScenario
from tests.chaos.run import run_chaos
from tests.chaos.sabotage import SABOTAGES
from tests.chaos.scenario import Verdict

pytestmark = pytest.mark.timeout(300)

# Of the orders of kills, one in which PostgreSQL follows those that hold flushes up: 10 s are for one outage, and three
# restarts in a row on a busy machine need more. `make chaos` takes any order.
SEED = 1034


def run(seconds: float, sabotage: str = "") -> list[Verdict]:
    return run_chaos([CountersScenario()], seed=SEED, seconds=seconds, say=print, sabotage=SABOTAGES.get(sabotage))


def test_counters_keep_every_promise_while_all_parts_are_killed() -> None:
    verdicts = run(seconds=20)
    assert [str(verdict) for verdict in verdicts if not verdict.is_kept] == []
    assert len(verdicts) == 8


@pytest.mark.parametrize(("sabotage", "shows_as"), [("hand-over", "too few"), ("resume", "too many")])
def test_sabotaged_flush_breaks_the_promise_of_exact_sums(sabotage: str, shows_as: str) -> None:
    evidence = {verdict.promise: verdict.evidence for verdict in run(6, sabotage) if not verdict.is_kept}
    assert shows_as in evidence[COUNTED_ONCE]
    assert shows_as in evidence[COUNTED_ONCE_WITH_KEY]
