"""Redemption without its row lock."""

import time
from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.db import connections, transaction
from django.db.models.signals import post_migrate

from common.stores.prepared import Prepared
from vouchers.redemption import redeeming

WAIT_SECONDS = 0.3  # for another batch of the same voucher; far within a request's deadline
_IS_WAITED_FOR = """
    SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid)
"""


def redeem_without_locks() -> None:
    """Give places as of the statement's start, and commit when another batch has done the same.

    The other batch then waits for our count of the voucher, which comes after it ranked by the one before ours. With
    the lock, it would wait for that first and rank afterwards.
    """
    unlocked = Prepared("redeem_unlocked", redeeming._SQL["redeem"])

    @transaction.atomic
    def give_places_side_by_side(parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        rows = unlocked.run(parameters)
        if any(redeeming._Row(*row).is_redeemed for row in rows):
            _wait_for_another()
        return rows

    redeeming.REDEEM.run = give_places_side_by_side  # type: ignore[method-assign]
    post_migrate.connect(_drop_check, sender=apps.get_app_config("vouchers"))


def _wait_for_another() -> None:
    until = time.monotonic() + WAIT_SECONDS
    with connections["default"].cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute(_IS_WAITED_FOR)
            if cursor.fetchone() == (True,):
                return
            time.sleep(0.005)


def _drop_check(using: str, **kwargs: Any) -> None:
    """Which would keep the limit alone: tests/concurrency/vouchers/test_races.py shows it."""
    if using == "default":
        with connections[using].cursor() as cursor:
            cursor.execute("ALTER TABLE vouchers_voucher DROP CONSTRAINT IF EXISTS redeemed_within_limit")
