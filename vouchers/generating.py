"""Many vouchers with random codes at once, made by workers.

An order is a row before it is work. A worker locks it and inserts a slice of its vouchers in one transaction with the
count of what exists, so one that is killed leaves whole slices, and the next one goes on behind them.
"""

import secrets
import time
from math import inf

import structlog
from django.db import transaction
from django.utils import timezone

from common.wakeups import wake
from vouchers.creating import insert_vouchers
from vouchers.locks import claim_generation
from vouchers.models import Generation
from vouchers.selectors import generation_state
from vouchers.types import GenerationState, VoucherTerms

TASK = "vouchers.generate"
QUEUE = "batches"
SLICE = 5_000
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without I, L, O and U, which are misread
RANDOM_CHARACTERS = 13  # of 5 bits each: 65 bits, so a guess finds one of a million codes once in 3.7e13 tries


def order_generation(count: int, terms: VoucherTerms) -> GenerationState:
    """Have ``count`` vouchers made; ``terms.code`` is what their codes begin with."""
    context = structlog.contextvars.get_contextvars()
    with transaction.atomic():
        ordered = Generation.objects.create(
            count=count,
            prefix=terms.code,
            amount=terms.amount,
            limit=terms.limit,
            starts_at=terms.starts_at,
            expires_at=terms.expires_at,
            correlation_id=context.get("correlation_id") or "",
        )
        transaction.on_commit(wake_generators)
    return generation_state(ordered)


def generate_vouchers(seconds: float = inf) -> bool:
    """Make vouchers that are ordered, for about ``seconds``.

    Returns: whether there may be more to do; False when nothing is left that this worker could do now.
    Raises:  DatabaseError: call again later, whole slices are there.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not _make_slice():
            return False
    return True


def _make_slice() -> bool:
    with transaction.atomic():
        ordered = claim_generation()
        if ordered is None:
            return False
        wanted = {code: _terms(ordered, code) for code in _codes(ordered)}
        ordered.made += len(insert_vouchers(wanted.values(), ordered.id))  # a code that was taken is made up for
        if ordered.made == ordered.count:
            ordered.finished_at = timezone.now()
        ordered.save(update_fields=["made", "finished_at"])
    return True


def _codes(ordered: Generation) -> list[str]:
    return [ordered.prefix + random_code() for _ in range(min(SLICE, ordered.count - ordered.made))]


def random_code() -> str:
    return "".join(ALPHABET[byte & 31] for byte in secrets.token_bytes(RANDOM_CHARACTERS))


def _terms(ordered: Generation, code: str) -> VoucherTerms:
    return VoucherTerms(code, ordered.amount, ordered.limit, ordered.starts_at, ordered.expires_at)


def wake_generators() -> None:
    wake(TASK, QUEUE, workers=1)
