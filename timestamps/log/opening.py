"""Opening the truth store: once after each of its starts, its stream is compared with the archive and the live table.

It may be another store than before: empty, or an older copy. What it lacks of the archive would be skipped by readers,
and what it appends by a clock that is behind would come before what was consumed. Until it is open nothing is appended,
readers of the log wait, and an id that nobody has is "being rebuilt".
"""

import logging
import threading
import time

from django.conf import settings
from django.db import Error, ProgrammingError, connections, transaction
from redis.exceptions import RedisError

from common.forks import renew_after_fork
from common.stores.guarded import DATABASE_AWAY
from common.stores.sqlstate import sqlstate
from timestamps.errors import ArchiveIsBroken, ArchiveUnavailable
from timestamps.livetable import live_position
from timestamps.locks import lock_tables
from timestamps.log import stream
from timestamps.log.archive import Archive
from timestamps.tables import UNDEFINED_TABLE
from timestamps.types import START, Position

logger = logging.getLogger(__name__)

WAIT_SECONDS = 0.3  # of an append; an archive in a folder takes 10 ms
PAUSE_SECONDS = 0.5  # after an attempt that failed


def open_log() -> bool:
    """Open the truth store if it is not; whether it was not, though another may have been quicker.

    Raises: ArchiveIsBroken: the archive is not there any more, or ends before what the stream was trimmed through.
        ArchiveUnavailable, RedisError; DatabaseError: also when it is needed to tell what the store has lost.
    Source: docs/timestamps.md.
    """
    state = stream.state()
    if state.is_open:
        return False
    found = Archive(settings.ARCHIVE_URL)  # which has read nothing yet
    archived = found.newest().last
    has_lost = state.low_water_mark is None or state.last < archived
    taken = _taken(is_needed=has_lost or not found.is_begun())
    _refuse_lost_archive(found, state, taken)
    found.begin()
    has_lost = has_lost or state.last < taken
    if stream.open_store(archived, taken):
        level = logging.WARNING if has_lost and max(archived, taken) > START else logging.INFO
        logger.log(level, "log_opened", extra={"archived": str(archived), "taken": str(taken)})
    return True


def _taken(*, is_needed: bool) -> Position:
    """Through which the live table has everything. A store that has lost nothing goes on without the database."""
    try:
        return _taken_for_good() if is_needed else live_position()
    except ProgrammingError as error:
        if sqlstate(error) != UNDEFINED_TABLE:
            raise
        return START  # a database that is not migrated yet has taken nothing
    except DATABASE_AWAY:
        if is_needed:
            raise
        return START


@transaction.atomic
def _taken_for_good() -> Position:
    """Behind the locks of whoever read the store as it was and has yet to commit that."""
    return max([START, *(table.position for table in lock_tables())])


def _refuse_lost_archive(found: Archive, state: stream.State, taken: Position) -> None:
    """An archive that is not mounted, or was lost, must not pass for one that has nothing yet."""
    low_mark, newest = state.low_water_mark or START, found.newest()
    if newest.last < low_mark:
        raise ArchiveIsBroken(f"The archive ends at {newest.last}, and the stream begins only after {low_mark}.")
    if taken > state.last and not found.is_begun():
        raise ArchiveIsBroken(
            f"There is no archive at ARCHIVE_URL, but entries through {taken} have left the stream. Is it mounted?"
        )


class _Attempt(threading.Thread):
    """Of a thread of its own, as an archive far away may take longer than a request has."""

    def __init__(self) -> None:
        super().__init__(name="open-log", daemon=True)
        self.has_opened = False
        self.ended_at = 0.0

    def run(self) -> None:
        try:
            open_log()
            self.has_opened = True
        except (Error, RedisError, ArchiveIsBroken, ArchiveUnavailable) as error:
            logger.error("log_not_opened", extra={"error": str(error)})
        finally:
            connections.close_all()
            self.ended_at = time.monotonic()


class Opener:
    """One process's; thread-safe."""

    def __init__(self) -> None:
        renew_after_fork(self, Opener._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._attempt: _Attempt | None = None

    def open_soon(self) -> bool:
        """Have the store opened; whether that was done within WAIT_SECONDS. Only who begins an attempt waits for it."""
        with self._lock:
            if not self._is_due():
                return False
            attempt = self._attempt = _Attempt()
            attempt.start()
        attempt.join(WAIT_SECONDS)
        return attempt.has_opened

    def _is_due(self) -> bool:
        last = self._attempt
        if last is None or last.has_opened:
            return True
        return not last.is_alive() and time.monotonic() > last.ended_at + PAUSE_SECONDS


open_soon = Opener().open_soon
