"""Statements that are prepared once, and run in one message."""

import pytest
from django.db import ProgrammingError, connection

from common.stores.prepared import Prepared

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_could_not_be_prepared_is_prepared_when_it_can_be() -> None:
    """A migration may hold a table that one of the statements needs."""
    both = Prepared("both_once", "SELECT %(number)s::int", "SELECT %(number)s::int + count(*) FROM prepared_late")
    for _ in range(2):
        with pytest.raises(ProgrammingError, match="prepared_late"):
            both.run({"number": 1})
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE prepared_late ()")
    try:
        for _ in range(3):
            assert both.run({"number": 7}) == [(7,)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE prepared_late")
