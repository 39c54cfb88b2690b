"""What was acknowledged, and whether the database has exactly that."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from uuid import UUID

import httpx
import psycopg

REQUEST_EVENTS = 10_000
_FIRST = datetime(1999, 12, 31, 23, 0, tzinfo=UTC)


def instant(number: int) -> datetime:
    """Of the nth event: no two are equal, and all have microseconds."""
    return _FIRST + timedelta(seconds=number, microseconds=number % 999_983)


def written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


@dataclass(frozen=True)
class Request:
    """A bulk request that was answered: events from number ``first`` on."""

    first: int
    ids: list[UUID]
    correlation_id: UUID


@dataclass
class Acknowledged:
    """Every id that was handed out, with what belongs to it."""

    requests: list[Request] = field(default_factory=list)
    _fresh: dict[UUID, tuple[datetime, UUID]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def append_in_bulk(self, url: str, events: int) -> None:
        with httpx.Client(base_url=url, timeout=10) as client:
            for first in range(0, events, REQUEST_EVENTS):
                numbers = range(first, min(events, first + REQUEST_EVENTS))
                correlation_id = uuid.uuid4()
                answer = _until_answered(client, [written(instant(number)) for number in numbers], correlation_id)
                self.requests.append(Request(first, [UUID(one["id"]) for one in answer.json()], correlation_id))

    def add_fresh(self, command_id: UUID, moment: datetime, correlation_id: UUID) -> None:
        """One that was appended beside the drill."""
        with self._lock:
            self._fresh[command_id] = (moment, correlation_id)

    def known(self, number: int) -> tuple[UUID, datetime]:
        """Id and instant of the nth event."""
        request = self.requests[number // REQUEST_EVENTS]
        return request.ids[number - request.first], instant(number)

    def count(self) -> int:
        return sum(len(request.ids) for request in self.requests) + len(self._fresh)

    def fresh(self) -> dict[UUID, tuple[datetime, UUID]]:
        """What was appended beside the drill so far, by id."""
        with self._lock:
            return dict(self._fresh)

    def differences(self, database_url: str, fresh: dict[UUID, tuple[datetime, UUID]], *, is_all: bool) -> list[str]:
        """What the live table lacks, has otherwise or has too much; at most one of each kind.

        Args: fresh: of these every one must be there. is_all: nothing else may be.
        """
        expected, left, more = self._in_order(), dict(fresh), []
        awaited = next(expected, None)
        with psycopg.connect(database_url) as connection, connection.cursor(name="drill") as rows:
            rows.itersize = 20_000
            rows.execute(
                f"SELECT command_id, event_timestamp, correlation_id FROM {live_table(connection)}"
                " ORDER BY position_ms, position_seq"
            )
            for row in rows:
                wanted = left.pop(row[0], None)
                if row == awaited:
                    awaited = next(expected, None)
                elif wanted is None:
                    more.append(f"record {row} is there instead of {awaited}")
                elif row[1:] != wanted:
                    return [f"record {row} was acknowledged as {wanted}"]
        lost = [f"record {awaited} is lost"] if awaited else []
        lost += [f"record {command_id} of meanwhile is lost" for command_id in list(left)[:1]]
        return lost + (more[:1] if is_all or lost else [])

    def _in_order(self) -> Iterator[tuple[UUID, datetime, UUID]]:
        for request in self.requests:
            for number, command_id in enumerate(request.ids, request.first):
                yield command_id, instant(number), request.correlation_id


def _until_answered(client: httpx.Client, instants: list[str], correlation_id: UUID) -> httpx.Response:
    """Repeats while a busy store leaves the outcome open: with its key the request is appended once."""
    headers = {"X-Correlation-ID": str(correlation_id), "Idempotency-Key": str(uuid.uuid4())}
    while (answer := client.post("/api/v1/timestamps", json=instants, headers=headers)).status_code == 503:
        time.sleep(1.0)
    answer.raise_for_status()
    return answer


def live_table(connection: "psycopg.Connection[tuple[object, ...]]") -> str:
    row = connection.execute("SELECT number FROM timestamps_recordtable WHERE state = 'live'").fetchone()
    assert row is not None
    return f"timestamps_record_{row[0]}"
