"""From the log into a table of records: the one way in, for the consumer and for rebuilds."""

STEP_ENTRIES = 5_000


def advance(number: int) -> int:
    """Write the next entries of the log, at most STEP_ENTRIES, into a table and move its position behind them.

    Args:    number: of the table, live or building.
    Returns: entries taken; 0 when the table has all of the log.
    Raises:  TableIsBroken: the table lacks records that it had, nothing was written: it must be rebuilt.
        RecordTable.DoesNotExist; DatabaseError, RedisError: a store is away; the next call goes on from there.
    Source:  docs/timestamps.md.
    """
    raise NotImplementedError
