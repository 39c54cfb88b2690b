"""What vouchers adds to a process that answers requests; imported once, when models are there."""

from gateway.operate.health import MIGRATIONS_CHECK, WRITE_STORE_CHECK, register_check, register_group
from gateway.operate.metrics import register_collector
from vouchers.metrics import vouchers_metrics
from vouchers.remote import checks  # noqa: F401  (registers the system checks)
from vouchers.remote.health import wallet_lag_seconds

register_collector(vouchers_metrics)
register_check("vouchers:walletLag", wallet_lag_seconds, required=False)
register_group("vouchers", WRITE_STORE_CHECK, MIGRATIONS_CHECK)
