"""The chaos run of vouchers in short, and the proof that it finds overselling."""

import pytest

from tests.chaos.run import run_chaos
from tests.chaos.sabotage import SABOTAGES
from tests.chaos.scenario import Verdict
from tests.chaos.vouchers.scenario import EXACTLY_THE_LIMIT, RECONCILED, VouchersScenario

pytestmark = pytest.mark.timeout(200)

SEED = 300


def run(seconds: float, sabotage: str = "") -> list[Verdict]:
    scenario = VouchersScenario(vouchers=6, limit=60, users=600)
    return run_chaos([scenario], seed=SEED, seconds=seconds, say=print, sabotage=SABOTAGES.get(sabotage))


def test_vouchers_keep_every_promise_while_all_parts_are_killed() -> None:
    verdicts = run(seconds=14)
    assert [str(verdict) for verdict in verdicts if not verdict.is_kept] == []
    assert len(verdicts) == 9


def test_control_without_the_row_lock_it_oversells() -> None:
    evidence = {verdict.promise: verdict.evidence for verdict in run(3, "unlocked") if not verdict.is_kept}
    assert "of 60" in evidence[EXACTLY_THE_LIMIT]
    assert "redemptions_within_limit" in evidence[RECONCILED]
