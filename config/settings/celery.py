"""Celery: each kind of work has a queue and workers of its own."""

from typing import Any

from config import env

CELERY_BROKER_URL = env.CELERY_BROKER_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A broker that is lost ends no worker, however it is lost: Celery would take what a replica or a full store answers for
# final, and give up after a hundred attempts.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_WORKER_CONSUMER = "config.consumer:Consumer"
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 30, "socket_connect_timeout": 2}
CELERY_TASK_IGNORE_RESULT = True  # results are rows of our own tables
CELERY_TASK_DEFAULT_QUEUE = "imports"
CELERY_TASK_PUBLISH_RETRY = False  # a lost wake-up costs one beat
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"

FLUSH_SECONDS = 2.0
GATE_SECONDS = 0.5  # flags end after a second

# A wake-up that nobody took within a beat is dropped, so they never pile up behind a stopped worker.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "work-on-imports": {
        "task": "promotions.work_on_imports",
        "schedule": 1.0,
        "options": {"queue": "imports", "expires": 1.0},
    },
    "clean-up-promotions": {
        "task": "promotions.clean_up",
        "schedule": 60.0,
        "options": {"queue": "imports", "expires": 60.0},
    },
    "prune-rejects": {
        "task": "promotions.prune_rejects",
        "schedule": 60.0,
        "options": {"queue": "imports", "expires": 60.0},
    },
    "sweep-idempotency": {
        "task": "gateway.sweep_idempotency",
        "schedule": 60.0,
        "options": {"queue": "flush", "expires": 60.0},
    },
    # One message per flusher, so that they start side by side and take different shards.
    **{
        f"flush-counters-{number}": {
            "task": "counters.flush",
            "schedule": FLUSH_SECONDS,
            "options": {"queue": "flush", "expires": FLUSH_SECONDS},
        }
        for number in range(1, env.FLUSH_WORKERS + 1)
    },
    "generate-vouchers": {
        "task": "vouchers.generate",
        "schedule": 1.0,
        "options": {"queue": "batches", "expires": 1.0},
    },
    "apply-batches": {
        "task": "rates.apply_batches",
        "schedule": 1.0,
        "options": {"queue": "batches", "expires": 1.0},
    },
    "prune-batches": {
        "task": "rates.prune_batches",
        "schedule": 60.0,
        "options": {"queue": "batches", "expires": 60.0},
    },
    **(
        {
            "deliver-wallet-orders": {
                "task": "vouchers.deliver_orders",
                "schedule": 1.0,
                "options": {"queue": "batches", "expires": 1.0},
            }
        }
        if env.WALLET_URL
        else {}
    ),
    **(
        {
            "refresh-exchange-rates": {
                "task": "rates.refresh_exchange_rates",
                "schedule": 60.0,
                "options": {"queue": "batches", "expires": 60.0},
            }
        }
        if env.OPENEXCHANGERATES_APP_ID
        else {}
    ),
    "renew-gate": {
        "task": "vouchers.renew_flags",
        "schedule": GATE_SECONDS,
        "options": {"queue": "events", "expires": GATE_SECONDS},
    },
    "consume-timestamps": {
        "task": "timestamps.consume",
        "schedule": 1.0,
        "options": {"queue": "events", "expires": 1.0},
    },
    "archive-timestamps": {
        "task": "timestamps.archive",
        "schedule": 5.0,
        "options": {"queue": "batches", "expires": 5.0},
    },
    "replay-timestamps": {
        "task": "timestamps.replay",
        "schedule": 1.0,
        "options": {"queue": "batches", "expires": 1.0},
    },
    "clean-up-timestamps": {
        "task": "timestamps.clean_up",
        "schedule": 60.0,
        "options": {"queue": "batches", "expires": 60.0},
    },
    "prune-flushes": {
        "task": "counters.prune",
        "schedule": 60.0,
        "options": {"queue": "flush", "expires": 60.0},
    },
}
