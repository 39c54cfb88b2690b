"""What the database holds, read without the code that wrote it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import psycopg

from tests.acceptance.harness import Stack
from tests.chaos.vouchers.crowd import Wish

_REDEMPTIONS = """
    SELECT redemption.id::text, code, redeemer, redemption.amount, extract(epoch FROM redemption.created_at)::float8
    FROM vouchers_redemption redemption JOIN vouchers_voucher voucher ON voucher.id = voucher_id
    WHERE reversed_at IS NULL
"""
_TRANSFERS = "SELECT debit, credit, amount, redemption_id::text FROM vouchers_transfer"
_BALANCES = "SELECT phone_number, balance FROM vouchers_profile"


class Redemption(NamedTuple):
    """A live one; ``created_at`` in seconds of the epoch."""

    id: str
    code: str
    redeemer: str
    amount: Decimal
    created_at: float

    @property
    def wish(self) -> Wish:
        return Wish(self.redeemer, self.code)


class Transfer(NamedTuple):
    debit: str
    credit: str
    amount: Decimal
    redemption_id: str | None


@dataclass(frozen=True)
class Books:
    """Attributes: balances: by phone number."""

    redemptions: list[Redemption]
    transfers: list[Transfer]
    balances: dict[str, Decimal]


def read_books(stack: Stack) -> Books:
    """All of one moment."""
    with psycopg.connect(stack.database_url, connect_timeout=5) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return Books(
            [Redemption(*row) for row in connection.execute(_REDEMPTIONS)],
            [Transfer(*row) for row in connection.execute(_TRANSFERS)],
            dict(connection.execute(_BALANCES).fetchall()),
        )
