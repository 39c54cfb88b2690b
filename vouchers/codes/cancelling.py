"""Cancelling generations of vouchers."""

from django.db import transaction

from vouchers.codes.states import end_generation
from vouchers.errors import GenerationEnded, GenerationNotFound
from vouchers.locks import lock_generation
from vouchers.models import GenerationStatus
from vouchers.selectors import generation_state
from vouchers.types import GenerationState


def cancel_generation(generation_id: int) -> GenerationState:
    """Stop making vouchers; those that exist stay.

    Raises: GenerationNotFound; GenerationEnded.
    """
    with transaction.atomic():
        generation = lock_generation(generation_id)
        if generation is None:
            raise GenerationNotFound(generation_id)
        if generation.status != GenerationStatus.RUNNING:
            raise GenerationEnded(generation_id, generation.status)
        end_generation(generation, GenerationStatus.CANCELLED)
    return generation_state(generation)
