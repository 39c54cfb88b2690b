"""The end of a generation, however it comes."""

from django.utils import timezone

from vouchers.models import Generation, GenerationStatus


def end_generation(generation: Generation, status: GenerationStatus) -> None:
    generation.status, generation.finished_at = status, timezone.now()
    generation.save(update_fields=["status", "error", "finished_at"])
