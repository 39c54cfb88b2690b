"""Reads of vouchers and redemptions. Those of wallets: ``wallet/choice.py``."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection

from common.errors import NOTHING_DONE, FieldError, InvalidInput, StoreUnavailable
from common.stores.guarded import DATABASE_AWAY
from common.stores.sqlfiles import load_sql
from common.stores.sqlstate import STATEMENT_TIMEOUT, sqlstate
from vouchers.errors import GenerationNotFound, GenerationRunning, VoucherNotFound
from vouchers.models import Generation, Redemption, Voucher
from vouchers.types import (
    GenerationState,
    RedemptionPage,
    ReportedRedemption,
    VoucherState,
)

LINES_AT_ONCE = 1_000  # 80 KB
_SQL = load_sql(Path(__file__).parent / "sql" / "vouchers.sql")


def state_of(voucher: Voucher) -> VoucherState:
    return VoucherState(
        voucher.id,
        voucher.code,
        voucher.amount,
        voucher.limit,
        voucher.limit - voucher.redeemed,
        voucher.starts_at,
        voucher.expires_at,
        voucher.created_at,
    )


def read_vouchers(codes: list[str]) -> list[VoucherState | VoucherNotFound]:
    """Vouchers by code, in the order of ``codes``."""
    found = {voucher.code: state_of(voucher) for voucher in Voucher.objects.filter(code__in=set(codes))}
    return [found.get(code) or VoucherNotFound() for code in codes]


def redemptions_of(code: str, *, limit: int, offset: int = 0, after: UUID | None = None) -> RedemptionPage:
    """Live redemptions of a voucher in the order in which they were made.

    Args:   limit: of the page; offset: to skip; after: the last one that the reader has, instead of an offset.
    Raises: VoucherNotFound. InvalidInput: ``after`` is no redemption of this voucher.
    """
    voucher_id = _voucher_id(code)
    rows = Redemption.objects.filter(voucher=voucher_id, reversed_at=None).order_by("voucher_id", "id")
    if after is not None:
        if not Redemption.objects.filter(pk=after, voucher=voucher_id).exists():
            raise InvalidInput(FieldError("cursor", "Is no redemption of this voucher."))
        rows = rows.filter(id__gt=after)
    found = [
        ReportedRedemption(redemption_id, code, redeemer, created_at)
        for redemption_id, redeemer, created_at in rows.values_list("id", "redeemer", "created_at")[
            offset : offset + limit
        ]
    ]
    return RedemptionPage(found, found[-1].id if len(found) == limit else None)


def _voucher_id(code: str) -> int:
    """Raises VoucherNotFound."""
    voucher_id = Voucher.objects.filter(code=code).values_list("id", flat=True).first()
    if voucher_id is None:
        raise VoucherNotFound
    return voucher_id


def all_redemptions_of(code: str) -> Iterator[bytes]:
    """The same, all of them and of one moment, as CSV in pieces of many lines, the header first.

    Raises: VoucherNotFound, at once. StoreUnavailable, from the iterator: it takes longer than a statement may.
    """
    return _copied({"code": code, "voucher_id": _voucher_id(code)})


def _copied(parameters: dict[str, Any]) -> Iterator[bytes]:
    """Lines as the server writes them, since an answer has 10 s: a million take 2 s and 3 MB (2026-11)."""
    copying = _SQL["report"]
    try:
        with (
            connection.cursor() as cursor,
            connection.wrap_database_errors,
            cursor.copy(copying, parameters) as copy,
        ):
            while lines := list(islice(copy, LINES_AT_ONCE)):
                yield b"".join(lines)
    except DATABASE_AWAY as exc:
        too_many = "More redemptions than one answer has time for; ask for pages, with limit and cursor."
        raise StoreUnavailable(too_many if sqlstate(exc) == STATEMENT_TIMEOUT else NOTHING_DONE) from exc


def read_generation(generation_id: int) -> GenerationState:
    """Raises: GenerationNotFound."""
    generation = Generation.objects.filter(pk=generation_id).first()
    if generation is None:
        raise GenerationNotFound(generation_id)
    return generation_state(generation)


def generation_state(generation: Generation) -> GenerationState:
    progress = (generation.count, generation.made, generation.error or None)
    return GenerationState(generation.id, generation.status, *progress, generation.created_at, generation.finished_at)


def generated_vouchers(generation_id: int) -> Iterator[tuple[Any, ...]]:
    """(code, amount, limit, starts_at, expires_at) of a generation that has ended, however it did.

    Raises: GenerationNotFound, GenerationRunning.
    """
    if read_generation(generation_id).finished_at is None:
        raise GenerationRunning
    rows = Voucher.objects.filter(generation=generation_id).order_by("generation", "id")
    return rows.values_list("code", "amount", "limit", "starts_at", "expires_at").iterator(chunk_size=5_000)
