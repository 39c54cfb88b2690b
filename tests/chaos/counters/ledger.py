"""What a client knows of its increments, key by key."""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from tests.chaos.connection import Answer

# Codes of problems that say that nothing was counted. Another one, store-unavailable, leaves it open.
NOTHING_DONE = frozenset({"rate-limited", "overloaded", "backlog-full", "counter-full"})
EFFECT_UNKNOWN = "store-unavailable"


class Increment(NamedTuple):
    key: str
    value: int


class Outcome(Enum):
    ADDED = "added"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Ledger:
    """Sums by key of one set of keys; ``outcomes`` counts increments.

    Attributes:
        attempted: everything that was sent and not refused, acknowledged or not.
        acknowledged: what was answered with success.
        unanswered: what may have been counted or not.
        repeats: requests that were sent again.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        self.attempted: Counter[str] = Counter()
        self.acknowledged: Counter[str] = Counter()
        self.unanswered: Counter[str] = Counter()
        self.outcomes: Counter[Outcome] = Counter()
        self.repeats = 0

    def attempt(self, increments: Sequence[Increment]) -> None:
        """Note what is about to be sent for the first time."""
        for key, value in increments:
            self.attempted[key] += value

    def record(self, increments: Sequence[Increment], outcomes: Sequence[Outcome]) -> None:
        """Note what became of increments that were attempted; once for each."""
        self.outcomes.update(outcomes)
        for (key, value), outcome in zip(increments, outcomes, strict=True):
            if outcome is Outcome.ADDED:
                self.acknowledged[key] += value
            elif outcome is Outcome.UNKNOWN:
                self.unanswered[key] += value
            else:
                self.attempted[key] -= value

    def misfits(self, totals: Mapping[str, int]) -> list[str]:
        """Keys whose total is less than what was acknowledged, or more than that and the unanswered together."""
        found = []
        for key in self.keys:
            beyond = totals.get(key, 0) - self.acknowledged[key]
            if beyond < 0:
                found.append(f"{key} has {-beyond} too few")
            elif beyond > self.unanswered[key]:
                found.append(f"{key} has {beyond - self.unanswered[key]} too many")
        return found


def outcomes_of(answer: Answer, count: int) -> list[Outcome]:
    """What an answer says of each of its request's increments. Raises ValueError: no such answer is promised."""
    if answer.status == 200:
        return [Outcome(item["status"]) for item in answer.content()] if answer.body else [Outcome.ADDED]
    code = answer.content()["code"]
    if answer.status in (429, 503) and code in NOTHING_DONE:
        return [Outcome.REFUSED] * count
    if answer.status == 503 and code == EFFECT_UNKNOWN:
        return [Outcome.UNKNOWN] * count
    raise ValueError(f"{answer.status} {answer.body.decode()}")
