"""Counting in one process, at instants of the test's choosing."""

import sys
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.recent import Recent
from gateway.ratelimits.local import SECOND, LocalLimits
from gateway.ratelimits.policies import Policy

START = 17 * SECOND
steps = st.lists(st.tuples(st.integers(0, SECOND), st.integers(1, 40)), min_size=1, max_size=30)


def admitted_over_time(limits: LocalLimits, policy: Policy, steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Instants with how many were admitted, for pauses with quantities."""
    now, seen = START, []
    for pause, quantity in steps:
        now += pause
        seen.append((now, limits.count_at(now, policy, "client", quantity).admitted))
    return seen


@given(steps, st.integers(1, 30))
def test_no_window_has_more_than_its_rate_and_one_burst(steps: list[tuple[int, int]], per_second: int) -> None:
    seen = admitted_over_time(LocalLimits(1), Policy("p", per_second), steps)
    for first, (start, _) in enumerate(seen):
        total = 0
        for now, admitted in seen[first:]:
            total += admitted
            assert total <= per_second + (now - start) / (SECOND // per_second)


@given(steps, st.integers(1, 30))
def test_a_quantity_is_the_same_as_one_by_one(steps: list[tuple[int, int]], per_second: int) -> None:
    policy = Policy("p", per_second)
    folded = Counter(dict(admitted_over_time(LocalLimits(1), policy, [(pause + 1, n) for pause, n in steps])))
    singles = [(pause + 1 if first else 0, 1) for pause, n in steps for first in [True] + [False] * (n - 1)]
    one_by_one: Counter[int] = Counter()
    for now, admitted in admitted_over_time(LocalLimits(1), policy, singles):
        one_by_one[now] += admitted
    assert one_by_one == folded


@given(st.integers(1, 1_000), st.integers(1, 8), st.integers(1, 3_000))
def test_after_the_wait_and_not_before_one_more_is_admitted(per_second: int, processes: int, quantity: int) -> None:
    limits, policy = LocalLimits(processes), Policy("p", per_second)
    limits.count_at(START, policy, "client", quantity)
    verdict = limits.count_at(START, policy, "client", 3_000)
    again_at = START + round(verdict.wait_seconds * SECOND)
    assert limits.count_at(again_at - 1, policy, "client", 1).admitted == 0
    assert limits.count_at(again_at, policy, "client", 1).admitted == 1


def test_steady_pace_at_the_limit_is_never_refused() -> None:
    limits, policy = LocalLimits(1), Policy("p", 7)
    limits.count_at(START, policy, "client", 7)
    pace = SECOND // 7
    assert all(limits.count_at(START + n * pace, policy, "client", 1).admitted for n in range(1, 200))


def test_each_process_has_its_share() -> None:
    limits = LocalLimits(4)
    assert limits.count_at(START, Policy("p", 100), "client", 200).admitted == 25
    assert limits.count_at(START + SECOND, Policy("p", 100), "client", 200).admitted == 25
    assert limits.count_at(START, Policy("rare", 1), "client", 2).admitted == 1
    assert limits.count_at(START + 4 * SECOND, Policy("rare", 1), "client", 2).admitted == 1


def test_clients_and_policies_do_not_share() -> None:
    limits = LocalLimits(1)
    assert [limits.count_at(START, Policy(*policy), client, 9).admitted for policy, client in BOTH] == [5, 5, 6]


BOTH = [(("p", 5), "a"), (("p", 5), "b"), (("q", 6), "a")]


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns between any two steps, so that a missing lock shows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-7)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("restless_threads")
def test_threads_together_get_no_more_than_the_burst() -> None:
    limits, policy = LocalLimits(1), Policy("p", 500)
    admitted: list[int] = []
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait(5)
        admitted.extend(limits.count_at(START, policy, "client", 1).admitted for _ in range(200))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(admitted) == 500


@given(st.lists(st.integers(0, 40), max_size=200), st.integers(1, 9))
def test_recent_keeps_the_last_keys_and_is_bounded(keys: list[int], size: int) -> None:
    recent: Recent[int, int] = Recent(size)
    for place, key in enumerate(keys):
        recent.set(key, place)
        assert len(recent) <= 2 * size
    last = {key: place for place, key in enumerate(keys[-size:], start=max(0, len(keys) - size))}
    assert {key: recent.get(key) for key in last} == last


def test_a_flood_of_addresses_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ratelimits.local.CLIENTS_KEPT", 100)
    limits = LocalLimits(1)
    for number in range(1_000):
        limits.count_at(START, Policy("p", 1), f"address {number}", 1)
    assert len(limits._paid_at) <= 200
