"""From the append over the log into the table, and back."""

from uuid import UUID, uuid4

from tests.timestamps import committed, rows
from timestamps.consumer.consuming import consume_log
from timestamps.errors import TimestampNotFound
from timestamps.ids import ids_from
from timestamps.selectors import read_timestamps
from timestamps.services import append_timestamps
from timestamps.types import Appended, Query, Submission, Timestamp

pytestmark = committed

CORRELATION_ID = "123e4567-e89b-12d3-a456-426614174000"


def test_an_instant_is_readable_from_the_append_on() -> None:
    [appended] = append_timestamps([Submission(["0001-01-01T00:00:00Z", "2018-08-04T03:32:31.5Z"], CORRELATION_ID)])
    assert isinstance(appended, Appended)
    first, second = map(UUID, ids_from(appended.first_id, appended.count))
    [before] = read_timestamps([Query(second)])
    assert before == Timestamp(second, "2018-08-04T03:32:31.5Z", CORRELATION_ID, None)
    assert consume_log() == 2
    [after] = read_timestamps([Query(first)])
    assert isinstance(after, Timestamp)
    assert after.event_timestamp == "0001-01-01T00:00:00Z"
    assert after.created_at is not None
    assert [str(row[0]) for row in rows()] == [str(first), str(second)]


def test_an_id_that_nobody_got_is_not_found() -> None:
    unknown = uuid4()
    [answer] = read_timestamps([Query(unknown)])
    assert isinstance(answer, TimestampNotFound)
