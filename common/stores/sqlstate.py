"""What a database error means, by SQLSTATE and never by message text."""

LOCK_TIMEOUT = "55P03"
STATEMENT_TIMEOUT = "57014"
UNDEFINED_TABLE = "42P01"
NOT_MIGRATED = (UNDEFINED_TABLE, "42703")  # a table or a column of a later migration is missing


def sqlstate(error: BaseException) -> str:
    """SQLSTATE of a psycopg or Django database error, or an empty string."""
    return getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None) or ""
