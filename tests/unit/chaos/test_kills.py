"""Kills must hit everything, and never so often that the supervisor gives up."""

import random
from bisect import bisect_right
from collections import defaultdict

import pytest

from devstack.supervisor import DEATHS_WINDOW_SECONDS
from tests.chaos.kills import TARGETS, plan_kills


@pytest.mark.parametrize("seconds", [8.0, 20.0, 60.0, 479.0, 480.0, 2000.0])
def test_each_target_is_killed_and_none_twice_in_a_minute(seconds: float) -> None:
    for seed in range(50):
        moments = defaultdict(list)
        for kill in plan_kills(random.Random(seed), TARGETS, seconds):
            moments[kill.target].append(kill.at_seconds)
        assert set(moments) == set(TARGETS)
        assert max(map(_most_in_a_window, moments.values())) == 1
        assert max(map(max, moments.values())) < seconds


def _most_in_a_window(moments: list[float]) -> int:
    return max(bisect_right(moments, start + DEATHS_WINDOW_SECONDS) - n for n, start in enumerate(moments))
