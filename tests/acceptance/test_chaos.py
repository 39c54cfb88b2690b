"""The chaos run of all domains in short, and the proof that it finds what it looks for."""

from collections.abc import Sequence

import pytest

from tests.chaos.counters.scenario import COUNTED_ONCE, COUNTED_ONCE_WITH_KEY, CountersScenario
from tests.chaos.run import run_chaos
from tests.chaos.sabotage import SABOTAGES
from tests.chaos.scenario import Scenario
from tests.chaos.timestamps.scenario import TimestampsScenario
from tests.chaos.vouchers.scenario import EXACTLY_THE_LIMIT, RECONCILED, VouchersScenario

pytestmark = pytest.mark.timeout(300)

# Of the orders of kills, one in which PostgreSQL comes long after those that hold flushes up: 10 s are for one outage,
# and three restarts in a row on a busy machine need more. `make chaos` takes any order.
SEED = 246


def vouchers() -> VouchersScenario:
    return VouchersScenario(vouchers=6, limit=60, users=600)


def broken(scenarios: Sequence[Scenario], seconds: float, sabotage: str = "") -> dict[str, str]:
    """Evidence by promise."""
    verdicts = run_chaos(scenarios, seed=SEED, seconds=seconds, say=print, sabotage=SABOTAGES.get(sabotage))
    assert len(verdicts) > len(scenarios)
    return {verdict.promise: verdict.evidence for verdict in verdicts if not verdict.is_kept}


def test_every_promise_is_kept_while_all_parts_are_killed() -> None:
    assert broken([CountersScenario(), TimestampsScenario(), vouchers()], seconds=24) == {}


def test_control_a_flush_that_takes_away_first_loses_increments() -> None:
    evidence = broken([CountersScenario()], 6, "hand-over")
    assert "too few" in evidence[COUNTED_ONCE]
    assert "too few" in evidence[COUNTED_ONCE_WITH_KEY]


def test_control_a_flush_resumed_at_the_start_counts_twice_and_without_the_row_lock_vouchers_are_oversold() -> None:
    evidence = broken([CountersScenario(), vouchers()], 6, "resume-unlocked")
    assert "too many" in evidence[COUNTED_ONCE]
    assert "too many" in evidence[COUNTED_ONCE_WITH_KEY]
    assert "of 60" in evidence[EXACTLY_THE_LIMIT]
    assert "redemptions_within_limit" in evidence[RECONCILED]
