"""Commands that clients append, and what they were told of them."""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.chaos.connection import Answer, post_request

BULK_SHARE, BULK_MOST = 0.05, 40
NOTHING_DONE = frozenset({"rate-limited", "overloaded", "backlog-full", "log-not-open"})
EFFECT_UNKNOWN = "store-unavailable"
_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Command:
    """One request: its rows are told from others by the correlation id. An empty key sends none."""

    correlation_id: str
    idempotency_key: str
    instants: tuple[datetime, ...]

    def request(self) -> bytes:
        texts = [instant.isoformat() for instant in self.instants]
        keys = (self.idempotency_key, self.correlation_id)
        if len(texts) > 1:
            return post_request("/api/v1/timestamps", texts, *keys)
        return post_request(f"/api/v1/timestamp/{texts[0].replace('+', '%2B')}", "", *keys)


def draw_command(rng: random.Random, *, keyed: bool) -> Command:
    count = rng.randint(2, BULK_MOST) if rng.random() < BULK_SHARE else 1
    instants = tuple(_EPOCH + timedelta(microseconds=rng.randrange(2**52)) for _ in range(count))
    return Command(_uuid(rng), _uuid(rng) if keyed else "", instants)


class Told:
    """What became of all commands.

    Attributes:
        ids: handed out, by command.
        unanswered: commands that may have been appended or not.
        refused: commands of which nothing was appended.
        sure: each id that was handed out, and its instant.
        strange: answers that the contract does not name.
    """

    def __init__(self) -> None:
        self.ids: dict[Command, list[str]] = {}
        self.unanswered: set[Command] = set()
        self.refused = 0
        self.repeats = 0
        self.sure: dict[str, datetime] = {}
        self.ordered: list[str] = []
        self.strange: list[str] = []
        self.statuses: Counter[int] = Counter()

    def note(self, command: Command, answer: Answer) -> bool:
        """Whether it was acknowledged."""
        if answer.status == 200:
            self._acknowledge(command, answer)
            return True
        code = answer.content()["code"]
        if answer.status in (429, 503) and code in NOTHING_DONE:
            self.refused += 1
        elif (answer.status, code) == (503, EFFECT_UNKNOWN):
            self.unanswered.add(command)
        else:
            self.strange.append(f"{answer.status} {answer.body[:200]!r}")
        return False

    def _acknowledge(self, command: Command, answer: Answer) -> None:
        content = answer.content()
        ids = [item["id"] for item in (content if isinstance(content, list) else [content])]
        if len(ids) != len(command.instants):
            self.strange.append(f"{len(ids)} ids for {len(command.instants)} instants")
        self.unanswered.discard(command)
        self.ids[command] = ids
        self.sure.update(zip(ids, command.instants, strict=False))
        self.ordered.extend(ids)


def _uuid(rng: random.Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))
