"""Background work of vouchers."""

from config import env
from jobs.job import Job

GENERATE = Job(
    name="vouchers.generate",
    queue="batches",
    every_seconds=1.0,
    turn="vouchers.codes.generating:generate_vouchers",
    turn_seconds=5.0,
)
DELIVER = Job(
    name="vouchers.deliver_orders",
    queue="batches",
    every_seconds=1.0,
    turn="vouchers.remote.delivering:deliver_orders",
    turn_seconds=5.0,
    is_on=bool(env.WALLET_URL),
)
RENEW_FLAGS = Job(
    name="vouchers.renew_flags",
    queue="events",
    every_seconds=0.5,  # flags end after a second
    turn="vouchers.redemption.screening:renew_flags",
)
JOBS = [GENERATE, DELIVER, RENEW_FLAGS]
