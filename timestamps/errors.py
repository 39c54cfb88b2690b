"""What a timestamp may meet.

NotFound
└── TimestampNotFound    this id was never handed out
Conflict
└── ReplayRefused        this replay cannot begin, go on or be cancelled
TooLarge
└── TooManyTimestamps    more in one request than may be appended at once
Unprocessable
└── BrokenEntry          an entry of the log that says nothing we understand
Broken
├── ArchiveIsBroken      a segment or manifest is missing or is not what was archived
├── NoLiveTable          somebody deleted the row of the live table
└── TableIsBroken        a projection lacks what its position says it has
Unavailable
├── BacklogFull          too many entries wait for the database or the archive
├── LogNotOpen           the log's store has started and was not compared with the archive yet
├── TooManyMarks         too many Idempotency-Keys were used within the hour
├── Rebuilding           the database is behind the log, so nobody can say yet whether the id exists
├── ArchiveUnavailable   the store of the archive does not answer
└── ConsumerIsLate       the database is behind the log
"""

from uuid import UUID

from common.errors import Broken, Conflict, NotFound, TooLarge, Unavailable, Unprocessable
from timestamps.types import SUBMISSION_TIMESTAMPS


class TooManyTimestamps(TooLarge):
    code = "too-many-timestamps"
    default_detail = f"More than {SUBMISSION_TIMESTAMPS:,} timestamps in one request; nothing was appended."


class TimestampNotFound(NotFound):
    def __init__(self, command_id: UUID) -> None:
        super().__init__(f"No timestamp has the id {command_id}.")


class BacklogFull(Unavailable):
    code = "backlog-full"
    default_detail = "Too many timestamps wait for the database or the archive; nothing was appended."
    retry_after_seconds = 5


class LogNotOpen(Unavailable):
    code = "log-not-open"
    default_detail = "The log's store has started and is being compared with the archive; nothing was appended."


class TooManyMarks(Unavailable):
    code = "too-many-marks"
    default_detail = "Too many Idempotency-Keys are remembered; nothing was appended. Without a key it would be."
    retry_after_seconds = 60


class Rebuilding(Unavailable):
    code = "rebuilding"
    default_detail = "The log or the database is being restored, so it is not known yet what this id has; ask again."
    retry_after_seconds = 2


class ArchiveUnavailable(Unavailable):
    code = "archive-unavailable"
    default_detail = "The archive of the log does not answer."


class ArchiveIsBroken(Broken):
    code = "archive-is-broken"
    default_detail = "The archive of the log is not what was written."


class NoLiveTable(Broken):
    code = "no-live-table"
    default_detail = "No table of records is live: its row was lost. The consumer begins another; try again then."


class ReplayRefused(Conflict):
    code = "replay-refused"
    default_detail = "This replay cannot begin, go on or be cancelled."


class ConsumerIsLate(Unavailable):
    code = "timestamps-late"
    default_detail = "The database is more than ten seconds behind the log of timestamps."


class BrokenEntry(Unprocessable):
    code = "broken-entry"
    default_detail = "The entry of the log cannot be decoded."


class TableIsBroken(Broken):
    code = "table-is-broken"
    default_detail = "The table of records lacks what its position says it has; it must be rebuilt from the log."
