"""What vouchers adds to a process that answers requests; imported once, when models are there."""

from http import HTTPStatus

from gateway.health import MIGRATIONS_CHECK, WRITE_STORE_CHECK, register_check, register_group
from gateway.metrics import register_collector
from gateway.problems import register_codes
from vouchers import checks  # noqa: F401  (registers the system checks)
from vouchers.health import wallet_lag_seconds
from vouchers.metrics import vouchers_metrics

register_collector(vouchers_metrics)
register_check("vouchers:walletLag", wallet_lag_seconds, required=False)
register_group("vouchers", WRITE_STORE_CHECK, MIGRATIONS_CHECK)
register_codes(
    {
        "voucher-unavailable": HTTPStatus.NOT_FOUND,
        "voucher-not-found": HTTPStatus.NOT_FOUND,
        "redemption-not-found": HTTPStatus.NOT_FOUND,
        "profile-not-found": HTTPStatus.NOT_FOUND,
        "generation-not-found": HTTPStatus.NOT_FOUND,
        "generation-running": HTTPStatus.CONFLICT,
        "generation-ended": HTTPStatus.CONFLICT,
        "already-redeemed": HTTPStatus.CONFLICT,
        "voucher-exists": HTTPStatus.CONFLICT,
        "limit-below-redeemed": HTTPStatus.CONFLICT,
        "redemption-reversed": HTTPStatus.CONFLICT,
        "redemption-spent": HTTPStatus.CONFLICT,
        "profile-exists": HTTPStatus.CONFLICT,
        "balance-too-low": HTTPStatus.UNPROCESSABLE_ENTITY,
        "wallet-elsewhere": HTTPStatus.CONFLICT,
        "wallet-unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
        "wallet-behind": HTTPStatus.SERVICE_UNAVAILABLE,
        "wallet-orders-stranded": HTTPStatus.SERVICE_UNAVAILABLE,
    }
)
