"""What stopped some work: the database, which passes, or the work."""

import psycopg
import pytest
from django.db import DataError, IntegrityError, InterfaceError, InternalError, OperationalError
from psycopg import errors

from common.stores.guarded import is_temporary

TEMPORARY: list[tuple[type[Exception], type[Exception]]] = [
    (OperationalError, psycopg.OperationalError),  # no connection: without a state
    (InterfaceError, psycopg.InterfaceError),
    (InternalError, errors.ReadOnlySqlTransaction),
    (OperationalError, errors.IdleInTransactionSessionTimeout),
    (OperationalError, errors.AdminShutdown),
    (OperationalError, errors.CannotConnectNow),
    (OperationalError, errors.TooManyConnections),
    (OperationalError, errors.DiskFull),
    (OperationalError, errors.LockNotAvailable),
    (OperationalError, errors.DeadlockDetected),
]
OF_THE_WORK: list[tuple[type[Exception], type[Exception]]] = [
    (OperationalError, errors.QueryCanceled),  # its time was up
    (OperationalError, errors.OutOfMemory),
    (OperationalError, errors.ProgramLimitExceeded),
    (InternalError, errors.DataCorrupted),
    (DataError, errors.NumericValueOutOfRange),
    (IntegrityError, errors.UniqueViolation),
    (ValueError, ValueError),
]


@pytest.mark.parametrize(("kind", "cause"), TEMPORARY + OF_THE_WORK)
def test_what_may_succeed_later(kind: type[Exception], cause: type[Exception]) -> None:
    error = kind("as Django raises it")
    error.__cause__ = cause()
    assert is_temporary(error) == ((kind, cause) in TEMPORARY)
