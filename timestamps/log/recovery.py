"""Recovery: once after each start of the truth store, its stream is compared with the archive and the live table.

It may be another store than before: empty, or an older copy. What it lacks of the archive would be skipped by readers,
and what it appends by a clock that is behind would come before what was consumed. Until it has recovered the log is not
open: nothing is appended, readers of the log wait, and an id that nobody has is "being rebuilt".
"""

import logging
import threading
import time

from django.conf import settings
from django.db import Error, ProgrammingError, connections, transaction
from redis.exceptions import RedisError

from common.forks import renew_after_fork
from common.stores.guarded import DATABASE_AWAY
from common.stores.sqlstate import NOT_MIGRATED, sqlstate
from timestamps.errors import ArchiveIsBroken, ArchiveUnavailable
from timestamps.livetable import live_position
from timestamps.locks import lock_tables
from timestamps.log import stream
from timestamps.log.archive import Archive
from timestamps.types import START, Position

logger = logging.getLogger(__name__)

WAIT_SECONDS = 0.3  # of an append; an archive in a folder takes 10 ms
PAUSE_SECONDS = 0.5  # after an attempt that failed


def recover_log() -> bool:
    """Have the truth store recover if it has not; whether it had not, though another may have been quicker.

    Raises: ArchiveIsBroken: the archive is not there any more, or ends before what the stream was trimmed through.
        ArchiveUnavailable, RedisError; DatabaseError: also when it is needed to tell what the store has lost.
    Source: docs/timestamps.md.
    """
    state = stream.state()
    if state.is_open:
        return False
    archive_ = Archive(settings.ARCHIVE_URL)  # which has read nothing yet
    archived = archive_.newest().last
    has_lost = state.low_water_mark is None or state.last < archived
    projected = _projected(is_needed=has_lost or not archive_.is_begun())
    _refuse_lost_archive(archive_, state, projected)
    archive_.begin()
    has_lost = has_lost or state.last < projected
    if stream.recover(archived, projected):
        level = logging.WARNING if has_lost and max(archived, projected) > START else logging.INFO
        logger.log(level, "log_opened", extra={"archived": str(archived), "taken": str(projected)})
    return True


def _projected(*, is_needed: bool) -> Position:
    """Through which the live table has everything. A store that has lost nothing goes on without the database."""
    try:
        return _projected_for_good() if is_needed else live_position()
    except ProgrammingError as error:
        if sqlstate(error) not in NOT_MIGRATED:
            raise
        return START  # a database that is not migrated yet has projected nothing
    except DATABASE_AWAY:
        if is_needed:
            raise
        return START


@transaction.atomic
def _projected_for_good() -> Position:
    """Behind the locks of whoever read the store as it was and has yet to commit that."""
    return max([START, *(table.position for table in lock_tables())])


def _refuse_lost_archive(archive_: Archive, state: stream.State, projected: Position) -> None:
    """An archive that is not mounted, or was lost, must not pass for one that has nothing yet."""
    low_mark, newest = state.low_water_mark or START, archive_.newest()
    if newest.last < low_mark:
        raise ArchiveIsBroken(f"The archive ends at {newest.last}, and the stream begins only after {low_mark}.")
    if projected > state.last and not archive_.is_begun():
        raise ArchiveIsBroken(
            f"There is no archive at ARCHIVE_URL, but entries through {projected} have left the stream. Is it mounted?"
        )


class _Attempt(threading.Thread):
    """Of a thread of its own, as an archive far away may take longer than a request has."""

    def __init__(self) -> None:
        super().__init__(name="recover-log", daemon=True)
        self.has_recovered = False
        self.ended_at = 0.0

    def run(self) -> None:
        try:
            recover_log()
            self.has_recovered = True
        except (Error, RedisError, ArchiveIsBroken, ArchiveUnavailable) as error:
            logger.error("log_not_opened", extra={"error": str(error)})
        finally:
            connections.close_all()
            self.ended_at = time.monotonic()


class Recovery:
    """One process's; thread-safe."""

    def __init__(self) -> None:
        renew_after_fork(self, Recovery._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._attempt: _Attempt | None = None

    def recover_soon(self) -> bool:
        """Have the store recover; whether it did within WAIT_SECONDS. Only who begins an attempt waits for it."""
        with self._lock:
            if not self._is_due():
                return False
            attempt = self._attempt = _Attempt()
            attempt.start()
        attempt.join(WAIT_SECONDS)
        return attempt.has_recovered

    def _is_due(self) -> bool:
        last = self._attempt
        if last is None or last.has_recovered:
            return True
        return not last.is_alive() and time.monotonic() > last.ended_at + PAUSE_SECONDS


recover_soon = Recovery().recover_soon
