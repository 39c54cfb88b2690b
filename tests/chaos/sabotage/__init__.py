"""Defects that a run must find: each is a settings module whose app breaks functions of ours.

Where it takes a kill to show one, the broken function waits at the moment when dying hurts, and leaves a file that says
so. The kill waits for the file.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.chaos.kills import Kill

WINDOW_FILE = "sabotage-window"


@dataclass(frozen=True)
class Sabotage:
    """Attributes: settings_module: for the stack; target: what to kill in the window, ``at_seconds`` or later."""

    settings_module: str
    target: str
    at_seconds: float = 2.0

    def kills(self, data_dir: Path) -> list[Kill]:
        return [Kill(self.at_seconds, self.target, (data_dir / WINDOW_FILE).exists)]


SABOTAGES = {
    "hand-over": Sabotage("tests.chaos.sabotage.hand_over", "worker-flush"),
    "resume-unlocked": Sabotage("tests.chaos.sabotage.resume_unlocked", "worker-flush"),
}
