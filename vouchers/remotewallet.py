"""The wallet of another deployment of this project, over HTTP.

Each call is answered completely or not at all: whatever is not a whole answer is WalletUnavailable, and says nothing
about what the wallet did. There are timeouts for connecting, look-up of the name included, and for the whole call,
however slowly bytes drip. The standard library's client: it is one request at a time, and nothing may repeat or
redirect it.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from uuid import UUID

from django.conf import settings

from common.errors import InvalidInput
from common.exactjson import dump_exactly
from gateway.jsonbody import load_json
from vouchers.connecting import connect
from vouchers.errors import ProfileNotFound, WalletUnavailable
from vouchers.types import Order, OrderAnswer, OrderedTransfer, OrderOutcome, Statement, StatementLine, Wallet

ANSWER_BYTES = 2 * 2**20  # a thousand lines of a statement are a tenth of it


class _Patience(NamedTuple):
    connect_seconds: float
    total_seconds: float


_DELIVERY = _Patience(2.0, 5.0)
_READING = _Patience(0.5, 1.0)  # a request is answered at its deadline of 1.5 s


def send_orders(orders: Sequence[Order]) -> list[OrderAnswer]:
    """Have the wallet carry orders out; those that it has carried out before it only answers.

    Args:    orders: N, at most orders.ORDERS_MAX.
    Returns: N answers in the order of ``orders``.
    Raises:  WalletUnavailable: nobody knows what was done; send the same orders again.
    """
    body = [order._asdict() for order in orders]
    with _understood():
        answers = [_order_answer(given) for given in _ask("POST", "/api/wallet/orders", _DELIVERY, body)]
    if [answer.id for answer in answers] != [order.id for order in orders]:
        raise WalletUnavailable("the answers belong to other orders")
    return answers


def read_remote_wallets(phone_numbers: Sequence[str]) -> list[Wallet | ProfileNotFound]:
    """As ``selectors.read_wallets``. Raises WalletUnavailable."""
    with _understood():
        found = _ask("POST", "/api/wallet/profiles", _READING, list(phone_numbers))
        wallets = [given and Wallet(given["id"], given["phone_number"], Decimal(given["balance"])) for given in found]
    if len(wallets) != len(phone_numbers):
        raise WalletUnavailable("the answers belong to other profiles")
    return [wallet or ProfileNotFound(phone) for wallet, phone in zip(wallets, phone_numbers, strict=True)]


def read_remote_statement(phone_number: str, *, limit: int, before: int | None) -> Statement:
    """As ``selectors.statement_of``. Raises ProfileNotFound, WalletUnavailable."""
    cursor = f"&cursor={before}" if before is not None else ""
    with _understood():
        path = f"/api/wallet/profiles/{quote(phone_number)}/transactions?limit={limit}{cursor}"
        found = _ask("GET", path, _READING, missing="profile-not-found")
        if found is None:
            raise ProfileNotFound(phone_number)
        return Statement([_line(given) for given in found["transactions"]], found["cursor"])


def read_remote_transfers(redemption_ids: Sequence[UUID]) -> list[OrderedTransfer]:
    """What the wallet has of these redemptions, at most orders.ORDERS_MAX, in any order. Raises WalletUnavailable."""
    with _understood():
        found = _ask("POST", "/api/wallet/transfers", _DELIVERY, list(redemption_ids))
        return [_transfer(given) for given in found]


def probe_wallet() -> None:
    """Ask for a sign of life. Raises WalletUnavailable."""
    _ask("GET", "/health/live", _READING)


def _order_answer(given: Any) -> OrderAnswer:
    return OrderAnswer(UUID(given["id"]), OrderOutcome(given["outcome"]), str(given.get("code", "")))


def _transfer(given: Any) -> OrderedTransfer:
    redemption_id, amount = UUID(given["redemption_id"]), Decimal(given["amount"])
    return OrderedTransfer(redemption_id, str(given["kind"]), str(given["phone_number"]), amount)


def _line(given: Any) -> StatementLine:
    redemption_id = given["redemption_id"] and UUID(given["redemption_id"])
    created_at = datetime.fromisoformat(given["created_at"])
    return StatementLine(given["id"], given["kind"], Decimal(given["amount"]), redemption_id, created_at)


@contextmanager
def _understood() -> Iterator[None]:
    """An answer of another shape is none."""
    try:
        yield
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as exc:
        raise WalletUnavailable(f"the answer is not what a wallet says: {exc!r}") from exc


def _ask(method: str, path: str, patience: _Patience, body: Any = None, missing: str = "") -> Any:
    """The JSON of a 200; None for a 404 with the code ``missing``. Raises WalletUnavailable for anything else."""
    try:
        status, content = _exchange(method, path, patience, dump_exactly(body).encode() if body is not None else None)
        answer = load_json(content)
    except (OSError, http.client.HTTPException) as exc:
        raise WalletUnavailable(repr(exc)) from exc
    except InvalidInput as exc:
        raise WalletUnavailable("the answer is no JSON") from exc
    if status == HTTPStatus.OK:
        return answer
    code = answer.get("code") if isinstance(answer, dict) else ""
    if status == HTTPStatus.NOT_FOUND and missing and code == missing:
        return None
    raise WalletUnavailable(f"{status} {code}")


def _exchange(method: str, path: str, patience: _Patience, body: bytes | None) -> tuple[int, bytes]:
    where = urlsplit(settings.WALLET_URL)
    is_https = where.scheme == "https"
    connection = (http.client.HTTPSConnection if is_https else http.client.HTTPConnection)(
        str(where.hostname), where.port
    )
    with _connected(connection.host, connection.port, is_https, patience) as connection.sock:
        connection.request(method, where.path + path, body, _headers())
        response = connection.getresponse()
        content = response.read(ANSWER_BYTES)
        if response.length or not response.isclosed():
            raise http.client.IncompleteRead(content, response.length)
    return response.status, content


def _headers() -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "application/json", "Connection": "close"}
    return headers | ({"Authorization": f"Bearer {settings.WALLET_API_KEY}"} if settings.WALLET_API_KEY else {})


@contextmanager
def _connected(host: str, port: int, is_https: bool, patience: _Patience) -> Iterator[socket.socket]:
    """A connection that is cut when the time for the whole call is over."""
    until = time.monotonic() + patience.total_seconds
    connection = connect(host, port, patience.connect_seconds)
    if is_https:
        context = ssl.create_default_context()
        connection = context.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)
    connection.settimeout(patience.total_seconds)
    timer = threading.Timer(until - time.monotonic(), _cut, [connection])
    timer.start()
    try:
        if isinstance(connection, ssl.SSLSocket):
            connection.do_handshake()
        yield connection
    finally:
        timer.cancel()
        connection.close()


def _cut(connection: socket.socket) -> None:
    """Whoever reads from it gets an end of file."""
    try:
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself
