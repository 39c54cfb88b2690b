"""What a domain brings to be attacked: load, and afterwards one verdict per promise."""

import random
from dataclasses import dataclass
from typing import Protocol

from tests.acceptance.harness import Stack


@dataclass(frozen=True)
class Verdict:
    """Whether a promise was kept, and by what one can tell."""

    promise: str
    evidence: str
    is_kept: bool

    def __str__(self) -> str:
        return f"{'kept' if self.is_kept else 'BROKEN':<7}{self.promise} ({self.evidence})"


class Scenario(Protocol):
    """One domain's load and promises; an object serves one run."""

    targets: tuple[str, ...]
    """What to kill besides ``tests.chaos.kills.TARGETS``."""

    def load(self, stack: Stack, rng: random.Random, seconds: float) -> None:
        """Send requests for ``seconds``, then wait for what is unfinished. Runs on a thread of its own."""

    def progress(self) -> str:
        """Where the load stands, in a few words; called from another thread."""

    def verdicts(self, stack: Stack) -> list[Verdict]:
        """Judge what ``load`` saw against what the stack holds now."""
