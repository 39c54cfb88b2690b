"""Redemption: places of vouchers given in order of arrival, a batch in one transaction.

The vouchers are locked first, in a statement of its own; then one statement gives the places with the money. Ranking in
the statement that locks would use the snapshot from before its wait, and leave places empty. Checking before locking
would sell them twice. Both go to the server in one message, and the commit with them: a lock is held for no round trip.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from common.errors import FloodgateError
from common.idempotency import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotencyRecord, Replayed
from common.stores.prepared import Prepared
from common.stores.sqlfiles import load_sql
from vouchers.errors import AlreadyRedeemed, VoucherUnavailable
from vouchers.locks import lock_keys
from vouchers.metrics import count_outcomes
from vouchers.types import Redeem, Redeemed
from vouchers.wallet.choice import wallets

Outcome = Redeemed | Replayed[Redeemed] | FloodgateError
_SQL = load_sql(Path(__file__).parents[1] / "sql" / "redeem.sql")
REDEEM = Prepared("redeem_vouchers", _SQL["lock_vouchers"], _SQL["redeem"])


class _Row(NamedTuple):
    """What the statement answers for one item: its redemption, an earlier one, or none.

    ``revision`` and ``redeemed`` are 0 where there is no such voucher.
    """

    revision: int
    redeemed: int
    is_redeemed: bool
    id: UUID | None
    amount: Decimal
    state: str
    created_at: datetime
    kept_fingerprint: bytes
    kept_body: bytes | None


def redeem_vouchers(wanted: list[Redeem]) -> list[Outcome]:
    """Give each user one place of each voucher they ask for, and credit them, as long as there are places.

    Args:    wanted: N, the first to arrive first; codes, users and idempotency records may repeat.
    Returns: N outcomes in the order of ``wanted``. AlreadyRedeemed carries the user's redemption. VoucherUnavailable:
             unknown, not started, expired or used up. IdempotencyKeyInUse, IdempotencyKeyReused: nothing was done.
    Raises:  DatabaseError: nothing was done, or all of it when the connection broke before the answer came.
    Source:  docs/vouchers.md.
    """
    outcomes = _redeem_with_keys(wanted) if any(item.idempotency for item in wanted) else _give_places(wanted)
    count_outcomes(outcomes)
    return outcomes


@transaction.atomic
def _redeem_with_keys(wanted: list[Redeem]) -> list[Outcome]:
    leaders = _leaders(wanted)
    taken = lock_keys(leaders)
    doing = [
        index for index, item in enumerate(wanted) if item.idempotency is None or _leads(leaders, taken, item, index)
    ]
    done = dict(zip(doing, _give_places([wanted[index] for index in doing]), strict=True)) if doing else {}
    return [done[index] if index in done else _follow(item, leaders, done) for index, item in enumerate(wanted)]


def _leaders(wanted: Sequence[Redeem]) -> dict[IdempotencyRecord, int]:
    """The index of the first item of each key; others with the same digest follow it."""
    by_digest: dict[bytes, tuple[IdempotencyRecord, int]] = {}
    for index, item in enumerate(wanted):
        if item.idempotency is not None:
            by_digest.setdefault(item.idempotency.digest, (item.idempotency, index))
    return dict(by_digest.values())


def _leads(leaders: dict[IdempotencyRecord, int], taken: set[IdempotencyRecord], item: Redeem, index: int) -> bool:
    return item.idempotency in taken and leaders.get(item.idempotency) == index


def _follow(item: Redeem, leaders: dict[IdempotencyRecord, int], done: dict[int, Outcome]) -> Outcome:
    """The outcome of an item whose key another item has: of this batch, or of a transaction that still runs."""
    assert item.idempotency is not None
    first = next(
        (done.get(index) for record, index in leaders.items() if record.digest == item.idempotency.digest), None
    )
    if first is None:
        return IdempotencyKeyInUse()
    if item.idempotency in leaders:
        return Replayed(first) if isinstance(first, Redeemed) else first
    return IdempotencyKeyReused() if isinstance(first, Redeemed | Replayed) else IdempotencyKeyInUse()


def _give_places(wanted: Sequence[Redeem]) -> list[Outcome]:
    records = [item.idempotency or (None, None) for item in wanted] if any(item.idempotency for item in wanted) else []
    parameters: dict[str, Any] = {
        "codes": [item.code for item in wanted],
        "redeemers": [item.phone_number for item in wanted],
        "digests": [digest for digest, _ in records],
        "fingerprints": [fingerprint for _, fingerprint in records],
        "records_since": _records_since(),
        "state": wallets().FIRST_STATE.value,
    }
    given: dict[tuple[str, str], Redeemed] = {}
    outcomes = [_outcome(item, _Row(*row), given) for item, row in zip(wanted, REDEEM.run(parameters), strict=True)]
    if given:
        wallets().deliver()
    return outcomes


def _outcome(item: Redeem, row: _Row, given: dict[tuple[str, str], Redeemed]) -> Outcome:
    """``given``: what this batch has given so far, by code and user; the item's own redemption is added."""
    who = item.code, item.phone_number
    if row.kept_body is not None:
        assert item.idempotency is not None
        return _kept_outcome(item.idempotency, bytes(row.kept_fingerprint), row.kept_body)
    if row.id is None:
        return (
            AlreadyRedeemed(given[who], row.revision)
            if who in given
            else VoucherUnavailable(row.revision, row.redeemed)
        )
    redemption = Redeemed(row.id, item.code, item.phone_number, row.amount, row.state, row.created_at)
    if not row.is_redeemed:
        return AlreadyRedeemed(redemption, row.revision)
    given[who] = redemption
    return redemption


def kept_outcomes(wanted: list[Redeem]) -> list[Outcome | None]:
    """What is kept for repeats: the outcome of each item, which has a key, or None where the key is not known."""
    digests = [item.idempotency.digest for item in wanted if item.idempotency]
    with connection.cursor() as cursor:
        cursor.execute(_SQL["find_records"], {"digests": digests, "records_since": _records_since()})
        kept = {bytes(digest): (bytes(fingerprint), bytes(body)) for digest, fingerprint, body in cursor.fetchall()}
    return [
        _kept_outcome(item.idempotency, *kept[item.idempotency.digest])
        if item.idempotency and item.idempotency.digest in kept
        else None
        for item in wanted
    ]


def _kept_outcome(record: IdempotencyRecord, fingerprint: bytes, body: bytes) -> Outcome:
    return Replayed(_from_kept(body)) if fingerprint == record.fingerprint else IdempotencyKeyReused()


def _records_since() -> datetime:
    return timezone.now() - timedelta(seconds=settings.IDEMPOTENCY_TTL_SECONDS)


def _from_kept(body: bytes) -> Redeemed:
    kept = json.loads(body)
    return Redeemed(
        UUID(kept["id"]),
        kept["voucher_code"],
        kept["redeemer"],
        Decimal(kept["amount"]),
        kept["state"],
        datetime.fromisoformat(kept["created_at"]),
    )
