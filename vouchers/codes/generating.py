"""Many vouchers with random codes at once, made by workers.

A generation, a batch of codes, is a row before it is work. A worker inserts a slice of its vouchers in one transaction
with the count of what exists, so one that is killed leaves whole slices, and the next one goes on behind them. Those
that have failed before come after all others.
"""

import logging
import secrets
from contextlib import AbstractContextManager
from functools import partial
from math import inf

import structlog
from django.db import transaction
from django.db.models import QuerySet

from jobs.pieces import MAX_ATTEMPTS, Pieces
from jobs.waking import wake
from vouchers.codes.creating import insert_vouchers
from vouchers.codes.states import end_generation
from vouchers.jobs import GENERATE
from vouchers.locks import generation_lease, lock_generation
from vouchers.models import Generation, GenerationStatus
from vouchers.selectors import generation_state
from vouchers.types import GenerationState, VoucherTerms

logger = logging.getLogger(__name__)

SLICE = 5_000
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without I, L, O and U, which are misread
RANDOM_CHARACTERS = 13  # of 5 bits each: 65 bits, so a guess finds one of a million codes once in 3.7e13 tries


def submit_generation(count: int, terms: VoucherTerms) -> GenerationState:
    """Have ``count`` vouchers made; ``terms.code`` is what their codes begin with."""
    context = structlog.contextvars.get_contextvars()
    with transaction.atomic():
        generation = Generation.objects.create(
            count=count,
            prefix=terms.code,
            amount=terms.amount,
            limit=terms.limit,
            starts_at=terms.starts_at,
            expires_at=terms.expires_at,
            correlation_id=context.get("correlation_id") or "",
        )
        transaction.on_commit(partial(wake, GENERATE))
    return generation_state(generation)


class _Slices(Pieces[Generation]):
    what = "generation: slice"

    def waiting(self) -> QuerySet[Generation]:
        return Generation.objects.filter(status=GenerationStatus.RUNNING).order_by("attempts", "id")

    def lease(self, key: int) -> AbstractContextManager[bool]:
        return generation_lease(key)

    def lock(self, key: int) -> Generation | None:
        return _lock_running(key)

    def correlation_id(self, row: Generation) -> str:
        return row.correlation_id

    def work(self, key: int) -> None:
        _make_slice(key)

    def give_up(self, key: int) -> None:
        _give_up(key)


SLICES = _Slices()


def generate_vouchers(seconds: float = inf) -> bool:
    """Make vouchers of generations that run, for about ``seconds``.

    Returns, Raises: as ``Pieces.work_through``; whole slices are there.
    """
    return SLICES.work_through(seconds)


def _make_slice(generation_id: int) -> None:
    """The generation is locked after the work, so that it can be cancelled meanwhile; the slice is undone then."""
    before = Generation.objects.get(pk=generation_id)
    wanted = {code: _terms(before, code) for code in _codes(before)}
    made = len(insert_vouchers(wanted.values(), generation_id))  # a code that was taken is made up for
    generation = _lock_running(generation_id)
    if generation is None or generation.made != before.made:
        transaction.set_rollback(True)
        return
    generation.made += made
    generation.attempts = 0
    generation.save(update_fields=["made", "attempts"])
    if generation.made == generation.count:
        end_generation(generation, GenerationStatus.DONE)


def _give_up(generation_id: int) -> None:
    generation = _lock_running(generation_id)
    if generation is not None:
        generation.error = f"Gave up after {MAX_ATTEMPTS} attempts; the log says why, unless their workers were killed."
        end_generation(generation, GenerationStatus.FAILED)
        logger.error("generation_given_up", extra={"generation": generation_id})


def _lock_running(generation_id: int) -> Generation | None:
    generation = lock_generation(generation_id)
    return generation if generation is not None and generation.status == GenerationStatus.RUNNING else None


def _codes(generation: Generation) -> list[str]:
    return [generation.prefix + random_code() for _ in range(min(SLICE, generation.count - generation.made))]


def random_code() -> str:
    return "".join(ALPHABET[byte & 31] for byte in secrets.token_bytes(RANDOM_CHARACTERS))


def _terms(generation: Generation, code: str) -> VoucherTerms:
    return VoucherTerms(code, generation.amount, generation.limit, generation.starts_at, generation.expires_at)
