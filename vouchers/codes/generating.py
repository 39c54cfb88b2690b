"""Many vouchers with random codes at once, made by workers.

A generation, a batch of codes, is a row before it is work. A worker inserts a slice of its vouchers in one transaction
with the count of what exists, so one that is killed leaves whole slices, and the next one goes on behind them. Those
that have failed before come after all others.
"""

import logging
import secrets
import time
from functools import partial
from math import inf

import structlog
from django.db import DatabaseError, transaction
from django.db.models import F

from common.stores.guarded import is_temporary
from common.work.afterwork import working_for
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
CANDIDATES = 8  # more than there are workers
MAX_ATTEMPTS = 5
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


def generate_vouchers(seconds: float = inf) -> bool:
    """Make vouchers of generations that run, for about ``seconds``.

    Returns: whether there may be more to do; False when nothing is left that this worker could do now.
    Raises:  DatabaseError: call again later, whole slices are there.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not _work_on_next():
            return False
    return True


def _work_on_next() -> bool:
    running = Generation.objects.filter(status=GenerationStatus.RUNNING).order_by("attempts", "id")
    for generation_id in list(running.values_list("id", flat=True)[:CANDIDATES]):
        with generation_lease(generation_id) as is_mine:
            if is_mine and _attempt(generation_id):
                return True
    return False


def _attempt(generation_id: int) -> bool:
    """Whether there was something to do. What fails each time is given up, so that nothing waits behind it for ever."""
    generation = _count_attempt(generation_id)
    if generation is None:
        return False
    with working_for(generation.correlation_id, "generation: slice"):
        _make_or_give_up(generation_id, generation.attempts)
    return True


def _make_or_give_up(generation_id: int, attempts: int) -> None:
    try:
        if attempts > MAX_ATTEMPTS:
            _give_up(generation_id)
        else:
            _make_slice(generation_id)
    except Exception as error:
        if is_temporary(error):
            _take_back_attempt(generation_id)
            raise
        logger.exception("generation_attempt_failed", extra={"generation": generation_id, "attempts": attempts})


def _count_attempt(generation_id: int) -> Generation | None:
    """The generation with this attempt; None when there is nothing to do any more."""
    with transaction.atomic():
        generation = _lock_running(generation_id)
        if generation is None:
            return None
        generation.attempts += 1
        generation.save(update_fields=["attempts"])
    return generation


def _take_back_attempt(generation_id: int) -> None:
    """An outage of the store is no fault of the generation. When the store can't be told, the attempt counts."""
    try:
        Generation.objects.filter(pk=generation_id, attempts__gt=0).update(attempts=F("attempts") - 1)
    except DatabaseError:
        logger.warning("generation_attempt_counts", extra={"generation": generation_id})


@transaction.atomic
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


@transaction.atomic
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
