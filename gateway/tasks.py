"""Celery's door: each task is one call and may run twice."""

from celery import shared_task

from gateway.kept import sweep_expired_answers


@shared_task(name="gateway.sweep_idempotency")
def sweep_idempotency_task() -> None:
    sweep_expired_answers()
