"""Taking batches in."""

from datetime import datetime
from functools import partial

import structlog
from django.conf import settings
from django.db import transaction

from jobs.waking import wake
from rates.batches.admission import refuse_late, refuse_overload
from rates.batches.bodies import BodyFormat
from rates.batches.locks import lock_admission
from rates.batches.planning import Plan, plan_batch
from rates.jobs import APPLY
from rates.models import BatchChunk, PriceBatch


def submit_batch(body: bytes, form: BodyFormat, deadline_at: datetime | None) -> int:
    """Store a batch whole, cut into chunks; workers are woken when that is committed. Returns its id.

    Raises: InvalidInput: the body is not of this format, or without a row; BatchTooLarge; Overloaded;
            DeadlineUnreachable. A bad row is no reason: it is rejected when its chunk is applied.
    Source: docs/rates.md.
    """
    plan = plan_batch(body, form, max_rows=settings.BATCH_MAX_ROWS, max_prices=settings.BATCH_MAX_PRICES)
    with transaction.atomic():
        lock_admission()
        refuse_overload()
        if deadline_at:
            refuse_late(deadline_at, len(plan.chunks), plan.price_count)
        batch = _store(plan, form, deadline_at)
        transaction.on_commit(partial(wake, APPLY, workers=min(APPLY.woken, len(plan.chunks))))
    return batch.id


def _store(plan: Plan, form: BodyFormat, deadline_at: datetime | None) -> PriceBatch:
    context = structlog.contextvars.get_contextvars()
    batch = PriceBatch.objects.create(
        body_format=form,
        columns=plan.columns,
        row_count=plan.row_count,
        price_count=plan.price_count,
        deadline_at=deadline_at,
        correlation_id=context.get("correlation_id") or "",
    )
    BatchChunk.objects.bulk_create([BatchChunk(batch=batch, **chunk._asdict()) for chunk in plan.chunks])
    return batch
