"""Clients that go on reading and appending while the database is lost and comes back."""

import random
import threading
import time
import uuid
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import httpx

from tests.drill.events import Acknowledged, written

PAUSE_SECONDS = 0.01
EVERY = 5  # so many reads of old records for each that is appended and read back


class Clients:
    """Threads that read known ids, and append records that they read back at once.

    A known id may be 200, with what was appended, or 503 while it is not known where it is. A record that was just
    appended is always 200. ``violations`` is what was otherwise.
    """

    def __init__(self, url: str, acknowledged: Acknowledged, events: int, threads: int = 2) -> None:
        self.statuses: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()
        self._url, self._acknowledged, self._events = url, acknowledged, events
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(seed,)) for seed in range(threads)]

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, seed: int) -> None:
        dice = random.Random(seed)
        with httpx.Client(base_url=self._url, timeout=10) as client:
            while not self._stop.wait(PAUSE_SECONDS):
                try:
                    self._read_known(client, dice.randrange(self._events))
                    if dice.randrange(EVERY) == 0:
                        self._append_and_read(client)
                except httpx.HTTPError as error:
                    self.violations[f"a request had no answer: {error!r}"] += 1

    def _read_known(self, client: httpx.Client, number: int) -> None:
        command_id, moment = self._acknowledged.known(number)
        answer = client.get(f"/api/v1/timestamp/{command_id}")
        self.statuses[f"known {answer.status_code}"] += 1
        if answer.status_code not in (200, 503):
            self.violations[f"a known id was {answer.status_code}: {answer.text}"] += 1
        elif answer.status_code == 200 and _differs(answer, command_id, moment):
            self.violations[f"a known id had another content: {answer.text}"] += 1

    def _append_and_read(self, client: httpx.Client) -> None:
        moment, correlation_id = datetime.now(UTC), uuid.uuid4()
        path = f"/api/v1/timestamp/{written(moment)}"
        appended = client.post(path, headers={"X-Correlation-ID": str(correlation_id)})
        self.statuses[f"appended {appended.status_code}"] += 1
        if appended.status_code != 200:
            self.violations[f"an append was {appended.status_code}: {appended.text}"] += 1
            return
        command_id = UUID(appended.json()["id"])
        self._acknowledged.add_fresh(command_id, moment, correlation_id)
        answer = client.get(f"/api/v1/timestamp/{command_id}")
        self.statuses[f"fresh {answer.status_code}"] += 1
        if answer.status_code != 200 or _differs(answer, command_id, moment):
            self.violations[f"a fresh id was {answer.status_code}: {answer.text}"] += 1


def _differs(answer: httpx.Response, command_id: UUID, moment: datetime) -> bool:
    told = answer.json()
    return (told["id"], datetime.fromisoformat(told["event_timestamp"])) != (str(command_id), moment)


def seconds_since(started: float) -> str:
    return f"{time.monotonic() - started:.1f} s"
