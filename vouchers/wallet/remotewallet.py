"""The wallet of another deployment of this project, over HTTP. ``local.py`` has the same functions for our own.

Each call is answered completely or not at all: whatever is not a whole answer is WalletUnavailable, and says nothing
about what the wallet did.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.db import transaction

from common.errors import InvalidInput
from common.network.outgoing import NO_ANSWER, Outgoing, Patience, send
from common.stores.circuits import Circuit
from common.text.exactjson import dump_exactly
from common.text.jsonbody import load_json
from common.text.rfc3339 import read_instant
from vouchers.errors import ProfileNotFound, WalletElsewhere, WalletUnavailable
from vouchers.models import RedemptionState
from vouchers.types import Order, OrderedTransfer, OrderOutcome, OrderReply, Statement, StatementLine, Wallet
from vouchers.wallet.outbox import wake_deliverer

ANSWER_BYTES = 2 * 2**20  # a thousand lines of a statement are a tenth of it
FIRST_STATE = RedemptionState.PENDING  # until its order is answered
_DELIVERY = Patience(2.0, 5.0)
_READING = Patience(0.5, 1.0)  # a request is answered at its deadline of 1.5 s


def store() -> Circuit:
    return Circuit("wallet", probe_wallet)


def deliver() -> None:
    transaction.on_commit(wake_deliverer)


def refuse_elsewhere() -> None:
    raise WalletElsewhere


def send_orders(orders: Sequence[Order]) -> list[OrderReply]:
    """Have the wallet carry orders out; for those that it has carried out before it only replies.

    Args:    orders: N, at most orders.ORDERS_MAX.
    Returns: N replies in the order of ``orders``.
    Raises:  WalletUnavailable: nobody knows what was done; send the same orders again.
    """
    body = [order._asdict() for order in orders]
    with _understood():
        replies = [_order_reply(given) for given in _ask("POST", "/api/wallet/orders", _DELIVERY, body)]
    if [reply.id for reply in replies] != [order.id for order in orders]:
        raise WalletUnavailable("the answers belong to other orders")
    return replies


def read_wallets(phone_numbers: Sequence[str]) -> list[Wallet | ProfileNotFound]:
    with _understood():
        found = _ask("POST", "/api/wallet/profiles", _READING, list(phone_numbers))
        wallets = [given and Wallet(given["id"], given["phone_number"], Decimal(given["balance"])) for given in found]
    if len(wallets) != len(phone_numbers):
        raise WalletUnavailable("the answers belong to other profiles")
    return [wallet or ProfileNotFound(phone) for wallet, phone in zip(wallets, phone_numbers, strict=True)]


def read_statement(phone_number: str, *, limit: int, before: int | None) -> Statement:
    cursor = f"&cursor={before}" if before is not None else ""
    with _understood():
        path = f"/api/wallet/profiles/{quote(phone_number)}/transactions?limit={limit}{cursor}"
        found = _ask("GET", path, _READING, missing="profile-not-found")
        if found is None:
            raise ProfileNotFound(phone_number)
        return Statement([_line(given) for given in found["transactions"]], found["cursor"])


def read_transfers(redemption_ids: Sequence[UUID]) -> list[OrderedTransfer]:
    """What the wallet has of these redemptions, at most orders.ORDERS_MAX, in any order. Raises WalletUnavailable."""
    with _understood():
        found = _ask("POST", "/api/wallet/transfers", _DELIVERY, list(redemption_ids))
        return [_transfer(given) for given in found]


def probe_wallet() -> None:
    """Ask for a sign of life. Raises WalletUnavailable."""
    _ask("GET", "/health/live", _READING)


def _order_reply(given: Any) -> OrderReply:
    return OrderReply(UUID(given["id"]), OrderOutcome(given["outcome"]), str(given.get("code", "")))


def _transfer(given: Any) -> OrderedTransfer:
    redemption_id, amount = UUID(given["redemption_id"]), Decimal(given["amount"])
    return OrderedTransfer(redemption_id, str(given["kind"]), str(given["phone_number"]), amount)


def _line(given: Any) -> StatementLine:
    redemption_id = given["redemption_id"] and UUID(given["redemption_id"])
    return StatementLine(
        given["id"], given["kind"], Decimal(given["amount"]), redemption_id, read_instant(given["created_at"])
    )


@contextmanager
def _understood() -> Iterator[None]:
    """An answer of another shape is none."""
    try:
        yield
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as exc:
        raise WalletUnavailable(f"the answer is not what a wallet says: {exc!r}") from exc


def _ask(method: str, path: str, patience: Patience, body: Any = None, missing: str = "") -> Any:
    """The JSON of a 200; None for a 404 with the code ``missing``. Raises WalletUnavailable for anything else."""
    try:
        status, content = _exchange(method, path, patience, dump_exactly(body).encode() if body is not None else None)
        answer = load_json(content)
    except NO_ANSWER as exc:
        raise WalletUnavailable(repr(exc)) from exc
    except InvalidInput as exc:
        raise WalletUnavailable("the answer is no JSON") from exc
    if status == HTTPStatus.OK:
        return answer
    code = answer.get("code") if isinstance(answer, dict) else ""
    if status == HTTPStatus.NOT_FOUND and missing and code == missing:
        return None
    raise WalletUnavailable(f"{status} {code}")


def _exchange(method: str, path: str, patience: Patience, body: bytes | None) -> tuple[int, bytes]:
    return send(Outgoing(method, settings.WALLET_URL + path, _headers(), patience, ANSWER_BYTES, body))


def _headers() -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    return headers | ({"Authorization": f"Bearer {settings.WALLET_API_KEY}"} if settings.WALLET_API_KEY else {})
