"""What is killed when. A target is a part of the stack, or ``<part> child`` for one of that part's children."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.acceptance.harness import Stack, started, wait_until

TARGETS = ("web child", "postgres", "truth", "cache", "beat")
ROUND_SECONDS = 240.0
EARLIEST, LATEST = 0.05, 0.8  # shares of a round: the load sees each part come back, and rounds are a minute apart
STEADY_SECONDS = 10.0


@dataclass(frozen=True)
class Kill:
    """Kill ``target`` at ``at_seconds`` from the start of the load, or later, as soon as ``is_time`` says so."""

    at_seconds: float
    target: str
    is_time: Callable[[], bool] = lambda: True


def plan_kills(rng: random.Random, targets: Sequence[str], seconds: float) -> list[Kill]:
    """Each target once per round, in random order, at a random moment of its share of the time.

    The supervisor gives up at the fourth death of a part within a minute, and a Celery worker may also end when its
    broker or its child is killed: a round may cost it three.
    """
    rounds = max(1, int(seconds / ROUND_SECONDS))
    kills = []
    for number in range(rounds):
        for place, target in enumerate(rng.sample(targets, len(targets))):
            share = EARLIEST + (LATEST - EARLIEST) * (place + rng.random()) / len(targets)
            kills.append(Kill((number + share) * seconds / rounds, target))
    return kills


def carry_out(stack: Stack, kills: Iterable[Kill], rng: random.Random, say: Callable[[str], None]) -> None:
    """Kill as planned, from now on. Raises AssertionError: a target does not run, or its time does not come."""
    begun = time.monotonic()
    for kill in kills:
        time.sleep(max(0.0, begun + kill.at_seconds - time.monotonic()))
        wait_until(kill.is_time, f"moment to kill {kill.target}", 30)
        wait_until(lambda kill=kill: _is_killed(stack, kill.target, rng), f"{kill.target} to kill", 30)  # type: ignore[misc]
        say(f"{time.monotonic() - begun:5.1f} s  killed {kill.target}")


def _is_killed(stack: Stack, target: str, rng: random.Random) -> bool:
    victims = _victims(stack, target)
    stack.remember()
    with contextlib.suppress(ProcessLookupError):
        if victims:
            os.kill(rng.choice(victims), signal.SIGKILL)
            return True
    return False


def _victims(stack: Stack, target: str) -> list[int]:
    """Those that run; children only of a steady part, as their death could end one that is starting."""
    part, _, is_child = target.partition(" ")
    pids = stack.pids(part)
    if not is_child:
        return pids[:1]
    return pids[1:] if pids and _age_seconds(pids[0]) > STEADY_SECONDS else []


def _age_seconds(pid: int) -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started(pid) / os.sysconf("SC_CLK_TCK")
