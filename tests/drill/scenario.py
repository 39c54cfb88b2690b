"""The drill: append, lose the table, lose the database, and compare every record each time."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from redis import Redis

from common.stores.lockkeys import LockKey
from config.env import embedded_urls
from tests.acceptance.harness import Stack, running_stack, wait_until
from tests.drill.events import Acknowledged, live_table
from tests.drill.readers import Clients, seconds_since

SEGMENT_SHARE = 0.14  # seven segments, and the rest in the stream
WAIT_SECONDS = 900.0

Say = Callable[[str], None]


def run_drill(data_dir: Path, events: int, say: Say) -> list[str]:
    """Practise both losses on a stack of its own. Returns every promise that was broken, as a sentence."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line per request
    segment_entries = max(1, int(events * SEGMENT_SHARE))
    acknowledged = Acknowledged()
    with running_stack(data_dir, WEB_WORKERS="2", TIMESTAMPS_SEGMENT_ENTRIES=str(segment_entries)) as stack:
        _append(stack, acknowledged, events, segment_entries, say)
        with Clients(stack.url, acknowledged, events) as clients:
            _lose_table(stack, acknowledged, say)
            _lose_database(stack, acknowledged, say)
        say(f"answers meanwhile: {dict(sorted(clients.statuses.items()))}")
        _wait_until_projected(stack)
        broken = [f"{count} x {what}" for what, count in clients.violations.items()]
        broken += acknowledged.differences(stack.database_url, acknowledged.fresh(), is_all=True)
        say(f"RPO 0: {acknowledged.count():,} entries were acknowledged" if not broken else "RPO is not proved")
        return broken + _verify_log(stack, say)


def _append(stack: Stack, acknowledged: Acknowledged, events: int, segment_entries: int, say: Say) -> None:
    started = time.monotonic()
    acknowledged.append_in_bulk(stack.url, events)
    say(f"{events:,} events appended in {seconds_since(started)}")
    truth = Redis.from_url(embedded_urls(stack.data_dir)["VALKEY_URL"])
    wait_until(lambda: truth.xlen("timestamp.command.v1") < segment_entries, "archive", WAIT_SECONDS)
    _compare(stack, acknowledged)
    say(f"all are records, and all but {truth.xlen('timestamp.command.v1'):,} have left the stream")


def _lose_table(stack: Stack, acknowledged: Acknowledged, say: Say) -> None:
    """Also kills the first replay in the middle, with -9."""
    started = time.monotonic()
    with _consumer_held_up(stack):  # so that the replay cannot end before it is killed
        with psycopg.connect(stack.database_url, autocommit=True) as connection:
            connection.execute(f"TRUNCATE {live_table(connection)}")
        replay = stack.start_manage("replay_timestamps")
        wait_until(lambda: _has_begun(stack), "beginning of the replay", WAIT_SECONDS)
        replay.kill()
        replay.communicate()
        say(f"table truncated; replay killed after {seconds_since(started)}")
    replay = stack.start_manage("replay_timestamps")
    _, errors = replay.communicate(timeout=WAIT_SECONDS)
    assert replay.returncode == 0, errors
    say(f"RTO of the truncated table: {seconds_since(started)}")
    _compare(stack, acknowledged)


def _lose_database(stack: Stack, acknowledged: Acknowledged, say: Say) -> None:
    started = time.monotonic()
    with psycopg.connect(make_conninfo(stack.database_url, dbname="postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE floodgate WITH (FORCE)")
        connection.execute("CREATE DATABASE floodgate")
    migrated = stack.start_manage("migrate", "--noinput")
    _, errors = migrated.communicate(timeout=WAIT_SECONDS)
    assert migrated.returncode == 0, errors
    say(f"database dropped, created and migrated after {seconds_since(started)}")
    _wait_until_projected(stack)
    say(f"RTO of the dropped database: {seconds_since(started)}")
    _compare(stack, acknowledged)


def _compare(stack: Stack, acknowledged: Acknowledged) -> None:
    """With all that was acknowledged before; what clients append meanwhile may be there too."""
    fresh = acknowledged.fresh()
    _wait_until_projected(stack)
    found = acknowledged.differences(stack.database_url, fresh, is_all=False)
    assert not found, found


def _wait_until_projected(stack: Stack) -> None:
    """Until the live table has all that was in the log when this was asked."""
    truth = Redis.from_url(embedded_urls(stack.data_dir)["VALKEY_URL"])
    newest = truth.xinfo_stream("timestamp.command.v1")["last-generated-id"].decode()
    through = tuple(map(int, newest.split("-")))
    wait_until(lambda: _live_position(stack) >= through, "rebuild", WAIT_SECONDS, on_failure=lambda: stack.log[-4_000:])


def _live_position(stack: Stack) -> tuple[int, int]:
    """(-1, -1) while there is none, or its table was emptied."""
    try:
        with psycopg.connect(stack.database_url) as connection:
            row = connection.execute(
                "SELECT position_ms, position_seq FROM timestamps_recordtable WHERE state = 'live'"
            ).fetchone()
    except psycopg.Error:
        return -1, -1
    return (row[0], row[1]) if row else (-1, -1)


def _has_begun(stack: Stack) -> bool:
    with psycopg.connect(stack.database_url) as connection:
        row = connection.execute(
            "SELECT true FROM timestamps_recordtable WHERE state = 'building' AND records > 0"
        ).fetchone()
    return row is not None


@contextmanager
def _consumer_held_up(stack: Stack) -> Iterator[None]:
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s, 0)", [LockKey.CONSUMER])
        yield


def _verify_log(stack: Stack, say: Say) -> list[str]:
    verified = stack.start_manage("verify_log")
    told, errors = verified.communicate(timeout=WAIT_SECONDS)
    say(told.strip())
    return [errors] if verified.returncode else []
