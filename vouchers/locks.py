"""Every lock of this app. Order: idempotency keys, generation, vouchers by code, redemptions, outbox, wallets by
number.

All but the lease last until the transaction ends, and each is a statement of its own: what decides comes after it, and
sees what the last holder committed.
"""

import struct
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import UUID

from django.db import connection

from common.idempotency import IdempotencyRecord
from common.stores.leases import lease
from common.stores.lockkeys import LockKey
from common.stores.sqlfiles import load_sql
from vouchers.models import Generation, OrderState, Profile, Redemption, Voucher, WalletOrder

_SQL = load_sql(Path(__file__).parent / "sql" / "redeem.sql")
LEASE_SECONDS = 30  # longer than any request to the wallet


def lock_keys(records: Iterable[IdempotencyRecord]) -> set[IdempotencyRecord]:
    """Those that no other transaction holds. Never waits, so their order does not matter."""
    numbers = {record: struct.unpack_from(">q", record.digest)[0] for record in records}
    with connection.cursor() as cursor:
        cursor.execute(_SQL["lock_keys"], {"numbers": sorted(numbers.values())})
        taken = {number for number, is_ours in cursor.fetchall() if is_ours}
    return {record for record, number in numbers.items() if number in taken}


def lock_vouchers(codes: Collection[str]) -> dict[str, Voucher]:
    """The vouchers with these codes as they are now, by code."""
    rows = Voucher.objects.select_for_update(no_key=True).filter(code__in=set(codes)).order_by("code")
    return {voucher.code: voucher for voucher in rows}


def lock_profiles(phone_numbers: Collection[str]) -> dict[str, Profile]:
    """The wallets of these users as they are now, by phone number."""
    rows = Profile.objects.select_for_update(no_key=True).filter(phone_number__in=set(phone_numbers))
    return {profile.phone_number: profile for profile in rows.order_by("phone_number")}


def lock_redemptions(ids: Collection[UUID]) -> dict[UUID, Redemption]:
    """These redemptions as they are now, by id, each with its voucher; the vouchers are locked already."""
    rows = Redemption.objects.select_for_update(no_key=True, of=("self",)).select_related("voucher")
    return {redemption.id: redemption for redemption in rows.filter(pk__in=set(ids)).order_by("id")}


def generation_lease(generation_id: int) -> AbstractContextManager[bool]:
    """Whether this connection alone makes these vouchers, over several transactions: an attempt is counted before its
    work."""
    return lease(LockKey.GENERATION, generation_id, seconds=LEASE_SECONDS)


def lock_generation(generation_id: int) -> Generation | None:
    """The generation's row, locked until the transaction ends; None where there is none."""
    return Generation.objects.select_for_update(no_key=True).filter(pk=generation_id).first()


def delivery_lease() -> AbstractContextManager[bool]:
    """Whether this connection alone delivers the outbox. It saves requests; exactness is the wallet's."""
    return lease(LockKey.WALLET_ORDERS, seconds=LEASE_SECONDS)


def lock_orders(ids: Collection[UUID]) -> list[WalletOrder]:
    """Those of these outbox messages that still wait; their redemptions are locked already."""
    rows = WalletOrder.objects.select_for_update(no_key=True).filter(pk__in=set(ids), state=OrderState.WAITING)
    return list(rows.order_by("id"))
