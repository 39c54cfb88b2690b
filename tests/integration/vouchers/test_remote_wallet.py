"""Orders between a deployment of vouchers and one of wallets, on both sides of the line.

One database plays both: their tables are different ones. ``answering`` puts a real server at WALLET_URL, which does
whatever the test wants and by default is the wallet itself.
"""

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.checks import Tags, run_checks
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone
from pytest_django import Settings

from common.network.outgoing import Patience
from common.text.exactjson import dump_exactly
from tests.roads import Answer, django
from tests.vouchers import balances, phone, redeem, refusing, taken, transfers, voucher, wanted, words
from vouchers.errors import WalletIsBehind, WalletOrdersStranded, WalletUnavailable
from vouchers.metrics import vouchers_metrics
from vouchers.models import Redemption, TransferKind, WalletAnswer, WalletOrder
from vouchers.redemption.redeeming import redeem_vouchers
from vouchers.redemption.reversing import reverse_redemptions
from vouchers.remote import comparing, delivering
from vouchers.remote import orders as wallet
from vouchers.remote.checks import check_orders_have_a_wallet
from vouchers.remote.comparing import compare_with_wallet
from vouchers.remote.delivering import deliver_orders
from vouchers.remote.health import wallet_lag_seconds
from vouchers.remote.orders import ORDERS_MAX, apply_orders, transfers_of
from vouchers.remote.replies import apply_replies
from vouchers.types import Movement, Order, OrderOutcome, OrderReply, ReversedRedemption, Wallet
from vouchers.wallet import remotewallet
from vouchers.wallet.reconciling import reconcile
from vouchers.wallet.remotewallet import read_wallets, send_orders
from vouchers.wallet.wallets import move_money

pytestmark = pytest.mark.django_db(transaction=True)
FIVE = Decimal("5.00")
Respond = Callable[[BaseHTTPRequestHandler, bytes], None]


def apply_here(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """As the wallet's own view does."""
    given = json.loads(body, parse_float=Decimal)
    orders = [
        Order(
            UUID(order["id"]),
            order["kind"],
            UUID(order["redemption_id"]),
            order["phone_number"],
            Decimal(order["amount"]),
        )
        for order in given
    ]
    try:
        answer(request, [found._asdict() for found in apply_orders(orders)])
    finally:
        connections.close_all()


def answer(request: BaseHTTPRequestHandler, body: Any, status: int = 200) -> None:
    content = body if isinstance(body, bytes) else dump_exactly(body).encode()
    request.send_response(status)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


class Remote:
    """The server at WALLET_URL. Attributes: respond: what it does; seen: headers of what it was asked."""

    def __init__(self) -> None:
        self.respond: Respond = apply_here
        self.seen: list[dict[str, str]] = []


@pytest.fixture
def remote(settings: Settings) -> Iterator[Remote]:
    state = Remote()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.seen.append(dict(self.headers.items()) | {"path": self.path})
            state.respond(self, self.rfile.read(int(self.headers["Content-Length"])))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.WALLET_URL = f"http://127.0.0.1:{server.server_address[1]}/prefix"
    settings.WALLET_API_KEY = "fg_secret"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def credit(user: int = 1, amount: Decimal | None = FIVE, redemption_id: UUID | None = None) -> Order:
    id_ = redemption_id or uuid4()
    return Order(id_, TransferKind.REDEMPTION, id_, phone(user), amount)


def reversal(order: Order) -> Order:
    return order._replace(id=uuid4(), kind=TransferKind.REVERSAL.value)


def outcomes(*orders: Order) -> list[str]:
    return [found.code or found.outcome.value for found in apply_orders(list(orders))]


def make_due() -> None:
    WalletOrder.objects.update(due_at=timezone.now())


def waiting() -> list[str]:
    return list(WalletOrder.objects.filter(state="waiting").order_by("created_at").values_list("kind", flat=True))


# The wallet's side


def test_orders_are_carried_out_once_however_often_they_come() -> None:
    one, other = credit(1), credit(2)
    assert outcomes(one, other, one) == ["applied"] * 3
    assert outcomes(other, one) == ["applied"] * 2
    assert balances() == {phone(1): FIVE, phone(2): FIVE}
    assert (WalletAnswer.objects.count(), reconcile()) == (2, [])


def test_same_orders_at_once_are_carried_out_once() -> None:
    apply_orders([credit(user) for user in range(30)])  # profiles exist, so opening them is no lock
    orders = [credit(user) for user in range(30)]

    def apply(turn: int) -> list[OrderReply]:
        try:
            return apply_orders(orders[::-1] if turn % 2 else orders)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        answers = [found for answers in threads.map(apply, range(8)) for found in answers]
    assert {found.outcome for found in answers} == {OrderOutcome.APPLIED}
    assert balances() == {phone(user): 2 * FIVE for user in range(30)}


def test_database_refuses_a_second_credit_that_nobody_else_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    order = credit()
    apply_orders([order])
    WalletAnswer.objects.all().delete()
    real = wallet._Books.__init__

    def forgetful(books: Any, orders: Any) -> None:
        real(books, orders)
        books.transfers.clear()

    monkeypatch.setattr(wallet._Books, "__init__", forgetful)
    with pytest.raises(IntegrityError):
        apply_orders([order])
    assert balances() == {phone(1): FIVE}
    with transaction.atomic():  # the control: without the constraint it is credited twice
        connection.cursor().execute("DROP INDEX one_transfer_per_redemption_and_kind")
        apply_orders([order])
        assert balances() == {phone(1): 2 * FIVE}
        transaction.set_rollback(True)


def test_order_with_another_content_is_a_conflict_and_changes_nothing() -> None:
    order = credit()
    apply_orders([order])
    assert outcomes(order._replace(amount=Decimal(6)), order._replace(phone_number=phone(2))) == ["order-conflict"] * 2
    assert outcomes(reversal(order)._replace(amount=Decimal(6))) == ["order-conflict"]
    assert outcomes(reversal(order)._replace(id=order.id)) == ["order-conflict"]
    assert len(transfers()) == 1


def test_reversal_before_its_credit_is_not_decided() -> None:
    order = credit()
    back = reversal(order)
    assert outcomes(back) == ["redemption-not-credited"]
    assert outcomes(order, back) == ["applied"] * 2
    assert balances() == {phone(1): Decimal(0)}
    assert reconcile() == []


def test_refusal_is_final_also_when_the_money_is_there_later() -> None:
    order = credit()
    back, again = reversal(order), reversal(order)
    apply_orders([order])
    move_money([Movement(phone(1), Decimal(-1))])
    assert outcomes(back) == ["balance-too-low"]
    move_money([Movement(phone(1), Decimal(1))])
    assert outcomes(back, again, back) == ["balance-too-low", "applied", "balance-too-low"]
    assert balances() == {phone(1): Decimal(0)}


def test_order_that_no_wallet_can_take_is_refused_and_its_neighbours_pass() -> None:
    bad = credit(amount=None)
    assert outcomes(credit(1), bad, credit(2)) == ["applied", "invalid-input", "applied"]
    assert outcomes(bad._replace(amount=FIVE)) == ["invalid-input"]


@pytest.mark.parametrize("kind", ["redemption", "reversal"])
def test_redemption_of_the_wallets_own_deployment_is_no_other_ones(kind: str) -> None:
    voucher()
    own = redeem(1)
    theft = Order(uuid4(), kind, own.id, phone(1), FIVE)
    assert outcomes(theft, theft, credit(2)) == ["redemption-of-this-deployment"] * 2 + ["applied"]
    assert balances() == {phone(1): FIVE, phone(2): FIVE}
    assert words(reverse_redemptions([own.id])) == ["ReversedRedemption"]
    assert outcomes(theft) == ["redemption-of-this-deployment"]
    assert (balances()[phone(1)], reconcile()) == (Decimal(0), [])


@pytest.mark.parametrize(
    ("users", "amount", "told"),
    [
        ((None, None), None, {"invalid-input"}),
        ((1, 2), None, {"invalid-input"}),
        ((1, 2), FIVE, {"applied", "order-conflict"}),
    ],
)
def test_same_order_twice_at_once_without_a_wallet_in_common_is_decided_once(
    users: tuple[int | None, ...], amount: Decimal | None, told: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No lock makes one wait for the other: both look before either has decided."""
    order, both, real = credit(amount=amount), threading.Barrier(2), wallet._Books.__init__
    first_looks = iter([both, both])

    def together(books: Any, orders: Any) -> None:
        real(books, orders)
        if look := next(first_looks, None):
            look.wait(10)

    def apply(user: int | None) -> str:
        try:
            return outcomes(order._replace(phone_number=phone(user) if user else None))[0]
        finally:
            connections.close_all()

    monkeypatch.setattr(wallet._Books, "__init__", together)
    with ThreadPoolExecutor(2) as threads:
        assert set(threads.map(apply, users)) == told
    assert (WalletAnswer.objects.count(), len(transfers()), reconcile()) == (1, int(amount is not None), [])


SHOP = {"X_Floodgate_Account": "shop"}


def post_orders(*orders: Any) -> Answer:
    return django("POST", "/api/wallet/orders", dump_exactly([*orders]).encode(), **SHOP)


def test_view_answers_in_order() -> None:
    one, bad = credit(1)._asdict(), credit(2)._asdict() | {"phone_number": "12", "amount": Decimal("0.001")}
    answered = post_orders(bad, one)
    assert (answered.status, answered.json) == (
        200,
        [
            {"id": str(bad["id"]), "outcome": "refused", "code": "invalid-input"},
            {"id": str(one["id"]), "outcome": "applied", "code": ""},
        ],
    )


@pytest.mark.parametrize(
    ("orders", "field"),
    [
        ([{**credit()._asdict(), "kind": "deposit"}], "[0].kind"),
        ([{**credit()._asdict(), "extra": 1}], "[0].extra"),
        ([credit()._asdict(), {}], "[1].id"),
        ([credit()._asdict()] * (ORDERS_MAX + 1), "body"),
        ([], "body"),
    ],
)
def test_bad_request_is_400_and_names_the_field(orders: Any, field: str) -> None:
    answered = post_orders(*orders)
    assert (answered.status, answered.json["errors"][0]["field"]) == (400, field)
    assert transfers() == []


def test_profiles_are_read_in_order() -> None:
    apply_orders([credit(1)])
    answered = django("POST", "/api/wallet/profiles", [phone(2), phone(1)], **SHOP)
    assert [found and (found["phone_number"], found["balance"]) for found in answered.json] == [None, (phone(1), 5.0)]


# The vouchers' side


def test_redemption_is_pending_until_the_wallet_has_it(remote: Remote) -> None:
    voucher(limit=1)
    assert redeem(1).state == "pending"
    assert (balances(), taken(), waiting(), reconcile()) == ({}, 1, ["redemption"], [])
    assert deliver_orders() is False
    assert Redemption.objects.get().state == "credited"
    assert (balances(), waiting(), reconcile()) == ({phone(1): FIVE}, [], [])
    assert remote.seen[0].items() >= {"Authorization": "Bearer fg_secret", "path": "/prefix/api/wallet/orders"}.items()
    assert len(remote.seen) == 1


def test_redemption_and_its_order_are_one(remote: Remote) -> None:
    voucher()
    with refusing("vouchers_walletorder"), pytest.raises(IntegrityError):
        redeem(1)
    assert (taken(), Redemption.objects.count(), waiting()) == (0, 0, [])


def lose(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """Carried out, and nobody hears of it."""
    request.wfile.close = lambda: None  # type: ignore[method-assign]
    real, request.wfile = request.wfile, open("/dev/null", "wb")  # noqa: PTH123, SIM115
    with request.wfile:
        apply_here(request, body)
    request.wfile = real


def wrong(body: Any, status: int = 200) -> Respond:
    return lambda request, _: answer(request, body, status)


def cut(request: BaseHTTPRequestHandler, body: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    request.wfile.write(b"[]")


def drip(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """A byte now and then, each well within a socket's own timeout."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    try:
        for _ in range(100):
            request.wfile.write(b" ")
            time.sleep(0.05)
    except OSError:
        return


UNKNOWN: dict[str, Respond] = {
    "answer lost": lose,
    "answer cut": cut,
    "answer drips": drip,
    "server error": wrong({"code": "internal-error"}, 500),
    "wrong key": wrong({"code": "unauthorized"}, 401),
    "too often": wrong({"code": "rate-limited"}, 429),
    "wrong address": wrong({"code": "not-found"}, 404),
    "refused as a whole": wrong({"code": "invalid-input"}, 400),
    "no JSON": wrong(b"<html>"),
    "no list": wrong({"outcome": "refused"}),
    "too few": wrong([]),
    "another's": wrong([{"id": str(uuid4()), "outcome": "refused", "code": "x"}]),
    "another word": lambda request, body: answer(request, [{"id": json.loads(body)[0]["id"], "outcome": "maybe"}]),
    "redirected": wrong([], 307),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_no_answer_changes_nothing_and_is_asked_again(
    remote: Remote, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remotewallet, "_DELIVERY", Patience(0.5, 0.5))
    monkeypatch.setattr(delivering, "FIRST_PAUSE_SECONDS", 15.0)  # a busy machine must not let it pass
    voucher(limit=1)
    redeem(1)
    remote.respond = UNKNOWN[name]
    started = time.monotonic()
    assert deliver_orders() is False
    assert time.monotonic() - started < 3
    order = WalletOrder.objects.get()
    assert (order.state, order.attempts, taken(), reconcile()) == ("waiting", 1, 1, [])
    assert order.last_error
    assert timedelta(0) < order.due_at - timezone.now() < timedelta(seconds=15)
    remote.respond = apply_here
    assert deliver_orders() is False
    assert waiting() == ["redemption"]  # not due yet
    make_due()
    deliver_orders()
    assert (waiting(), balances(), reconcile()) == ([], {phone(1): FIVE}, [])


def test_wallet_that_is_not_there_is_unknown(settings: Settings) -> None:
    settings.WALLET_URL = "http://127.0.0.1:1"
    with pytest.raises(WalletUnavailable):
        send_orders([credit()])


def test_name_server_that_is_silent_is_waited_for_once_and_not_for_long(
    remote: Remote, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, real, asked = threading.Event(), socket.getaddrinfo, []

    def silent(host: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        answers.wait(10)
        return real("127.0.0.1", *args, **kwargs)

    def probe(_: int) -> float:
        started = time.monotonic()
        with pytest.raises(WalletUnavailable):
            remotewallet.probe_wallet()
        return time.monotonic() - started

    settings.WALLET_URL = settings.WALLET_URL.replace("127.0.0.1", "wallet.example")
    monkeypatch.setattr(socket, "getaddrinfo", silent)
    with ThreadPoolExecutor(3) as threads:
        assert max(threads.map(probe, range(3))) < 2
    assert asked == ["wallet.example"]
    answers.set()
    wait_for_look_ups()
    assert outcome_of(send_orders([credit()])) == "applied"


def test_look_up_that_found_no_room_for_its_thread_is_asked_again(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def no_room(thread: threading.Thread) -> None:
        if thread.name == "look-up":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", no_room)
    with pytest.raises(WalletUnavailable):
        send_orders([credit()])
    monkeypatch.undo()
    assert outcome_of(send_orders([credit()])) == "applied"


def test_host_is_reached_at_its_second_address_when_the_first_is_silent(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, connect = socket.getaddrinfo, socket.socket.connect

    def two(host: str, port: int, **kwargs: Any) -> Any:
        return [*real("127.0.0.9", port, **kwargs), *real(host, port, **kwargs)]

    def to_one_only(connection: socket.socket, address: Any) -> None:
        if address[0] == "127.0.0.9":
            threading.Event().wait(connection.gettimeout())
            raise TimeoutError
        connect(connection, address)

    monkeypatch.setattr(socket, "getaddrinfo", two)
    monkeypatch.setattr(socket.socket, "connect", to_one_only)
    monkeypatch.setattr(remotewallet, "_DELIVERY", Patience(0.4, 5))
    started = time.monotonic()
    assert outcome_of(send_orders([credit()])) == "applied"
    assert time.monotonic() - started < 2


def outcome_of(answers: list[OrderReply]) -> str:
    (answer,) = answers
    return answer.outcome


def wait_for_look_ups() -> None:
    for thread in threading.enumerate():
        if thread.name == "look-up":
            thread.join(10)


def test_pauses_grow_up_to_a_limit(remote: Remote) -> None:
    voucher()
    redeem(1)
    remote.respond = wrong(b"", 500)
    pauses = []
    for _ in range(9):
        make_due()
        deliver_orders()
        pauses.append((WalletOrder.objects.get().due_at - timezone.now()).total_seconds())
    assert pauses[0] < 0.5 < pauses[3]
    assert 7 < pauses[-1] <= 15


def refuse(request: BaseHTTPRequestHandler, body: bytes) -> None:
    answer(request, [{"id": order["id"], "outcome": "refused", "code": "invalid-input"} for order in json.loads(body)])


def test_refused_credit_frees_the_place(remote: Remote) -> None:
    voucher(limit=1)
    lost = redeem(1)
    assert words(redeem_vouchers([wanted(2)])) == ["VoucherUnavailable"]  # in doubt counts
    assert reverse_redemptions([lost.id])
    remote.respond = refuse
    deliver_orders()
    assert (taken(), waiting(), reconcile()) == (0, [], [])
    assert Redemption.objects.get().reversed_at
    assert set(WalletOrder.objects.values_list("last_error", flat=True)) == {
        "invalid-input",
        "the redemption was never credited",
    }
    remote.respond = apply_here
    redeem(2)
    deliver_orders()
    assert (taken(), balances(), reconcile()) == (1, {phone(2): FIVE}, [])


def test_reversal_waits_for_the_wallet_before_its_place_is_free(remote: Remote) -> None:
    voucher(limit=1)
    first = redeem(1)
    (ordered,) = reverse_redemptions([first.id])
    assert isinstance(ordered, ReversedRedemption)
    assert (ordered.reversed_at, taken()) == (None, 1)
    assert words(reverse_redemptions([first.id, first.id])) == ["RedemptionReversed"] * 2
    deliver_orders()
    assert (taken(), waiting(), balances(), reconcile()) == (0, [], {phone(1): Decimal(0)}, [])
    assert words(reverse_redemptions([first.id])) == ["RedemptionReversed"]
    redeem(1)
    deliver_orders()
    assert (taken(), balances(), reconcile()) == (1, {phone(1): FIVE}, [])


def test_refused_reversal_leaves_the_redemption_and_can_be_ordered_again(remote: Remote, settings: Settings) -> None:
    voucher(limit=1)
    redemption = redeem(1)
    deliver_orders()
    move_money([Movement(phone(1), Decimal(-1))])
    reverse_redemptions([redemption.id])
    deliver_orders()
    assert (taken(), waiting(), reconcile()) == (1, [], [])
    assert WalletOrder.objects.get(kind="reversal").last_error == "balance-too-low"
    move_money([Movement(phone(1), Decimal(1))])
    reverse_redemptions([redemption.id])
    deliver_orders()
    assert (taken(), balances(), reconcile()) == (0, {phone(1): Decimal(0)}, [])


def test_redemption_of_before_is_reversed_in_its_own_wallet(remote: Remote, settings: Settings) -> None:
    elsewhere, settings.WALLET_URL = settings.WALLET_URL, ""
    voucher(limit=3)
    local = redeem(1)
    settings.WALLET_URL = elsewhere
    redeem(2)
    assert words(reverse_redemptions([local.id])) == ["ReversedRedemption"]
    assert (taken(), balances(), reconcile()) == (1, {phone(1): Decimal(0)}, [])


def test_conflict_stays_in_doubt(remote: Remote) -> None:
    voucher(limit=1)
    redemption = redeem(1)
    apply_orders([credit(2, redemption_id=redemption.id)])
    deliver_orders()
    order = WalletOrder.objects.get()
    assert (order.state, order.last_error, taken()) == ("waiting", "order-conflict", 1)


def test_answer_that_comes_twice_counts_once(remote: Remote) -> None:
    voucher(limit=3)
    first, _ = redeem(1), redeem(2)
    deliver_orders()
    reverse_redemptions([first.id])
    late = [OrderReply(order.pk, OrderOutcome.APPLIED) for order in WalletOrder.objects.all()]
    apply_replies(late)
    apply_replies(late)
    assert taken() == 1


def test_two_workers_take_turns(remote: Remote) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(request: BaseHTTPRequestHandler, body: bytes) -> None:
        started.set()
        go_on.wait(10)
        apply_here(request, body)

    def deliver() -> bool:
        try:
            return deliver_orders()
        finally:
            connections.close_all()

    voucher()
    redeem(1)
    remote.respond = slow
    with ThreadPoolExecutor(1) as other:
        first = other.submit(deliver)
        assert started.wait(10)
        assert deliver_orders() is False
        go_on.set()
        assert first.result() is False
    assert (len(remote.seen), waiting()) == (1, [])


def test_a_thousand_orders_are_two_requests(remote: Remote) -> None:
    voucher(limit=1_000)
    redeem_vouchers([wanted(user) for user in range(1_000)])
    deliver_orders()
    assert (len(remote.seen), waiting(), len(transfers()), reconcile()) == (2, [], 1_000, [])


# Orders that nobody answers


def strand(settings: Settings) -> WalletOrder:
    """An order that waits, and no WALLET_URL any more."""
    voucher()
    redeem(1)
    settings.WALLET_URL = ""
    return WalletOrder.objects.get()


def test_start_is_refused_while_orders_wait_for_a_wallet_that_is_not_set(remote: Remote, settings: Settings) -> None:
    url = settings.WALLET_URL
    assert check_orders_have_a_wallet(databases=["default"]) == []
    strand(settings)
    (found,) = run_checks(tags=[Tags.database], databases=["default"])
    assert (found.id, found.msg) == ("floodgate.E004", "1 wallet orders wait, and WALLET_URL is not set.")
    assert check_orders_have_a_wallet() == []
    settings.WALLET_URL = url
    assert check_orders_have_a_wallet(databases=["default"]) == []
    deliver_orders()
    settings.WALLET_URL = ""
    assert check_orders_have_a_wallet(databases=["default"]) == []


def test_check_of_orders_passes_before_the_first_migration(settings: Settings) -> None:
    settings.WALLET_URL = ""
    with transaction.atomic():
        connection.cursor().execute("ALTER TABLE vouchers_walletorder RENAME TO elsewhere")
        assert check_orders_have_a_wallet(databases=["default"]) == []
        transaction.set_rollback(True)


def test_health_says_when_orders_are_stranded_or_old(remote: Remote, settings: Settings) -> None:
    assert wallet_lag_seconds() == 0
    url, order = settings.WALLET_URL, strand(settings)
    with pytest.raises(WalletOrdersStranded):
        wallet_lag_seconds()
    settings.WALLET_URL = url
    assert 0 <= wallet_lag_seconds() < 10
    Redemption.objects.update(created_at=order.created_at - timedelta(minutes=2))
    with pytest.raises(WalletIsBehind):
        wallet_lag_seconds()
    deliver_orders()
    assert wallet_lag_seconds() == 0


def test_without_a_wallet_nothing_is_asked_and_orders_keep_their_turn(remote: Remote, settings: Settings) -> None:
    order = strand(settings)
    reverse_redemptions([order.redemption_id])
    assert deliver_orders() is False
    assert set(WalletOrder.objects.values_list("state", "attempts")) == {("waiting", 0)}
    assert remote.seen == []


def test_metrics_count_orders_that_wait(remote: Remote) -> None:
    voucher()
    reverse_redemptions([redeem(1).id])
    found = {family.name: family.samples[0].value for family in vouchers_metrics()}
    assert (found["floodgate_vouchers_pending"], found["floodgate_vouchers_wallet_orders_waiting"]) == (1, 2)


# Reads and hands


def test_profiles_are_the_wallets(remote: Remote) -> None:
    remote.respond = lambda request, body: answer(
        request, [{"id": 1, "phone_number": json.loads(body)[0], "balance": Decimal("5.10")}, None]
    )
    found = read_wallets([phone(1), phone(2)])
    assert found[0] == Wallet(1, phone(1), Decimal("5.10"))
    assert words(found[1:]) == ["ProfileNotFound"]


def test_profile_is_503_while_the_wallet_is_away(settings: Settings) -> None:
    settings.WALLET_URL = "http://127.0.0.1:1"
    for path in (f"/api/profiles/{phone(1)}", f"/api/profiles/{phone(1)}/transactions"):
        answered = django("GET", path)
        assert (answered.status, answered.json["code"]) == (503, "wallet-unavailable")


def test_money_is_not_moved_here(remote: Remote) -> None:
    asked = [
        django("POST", "/api/profiles", {"phone_number": phone(1), "balance": 1}),
        django("POST", "/api/transactions", {"phone_number": phone(1), "amount": 1}),
        post_orders(credit()._asdict()),
    ]
    assert {(answered.status, answered.json["code"]) for answered in asked} == {(409, "wallet-elsewhere")}
    assert transfers() == []


# Reconciliation

DAMAGE = {
    "redemption_agrees_with_its_order": "UPDATE vouchers_redemption SET state = 'pending'",
    "reversal_agrees_with_its_order": "UPDATE vouchers_redemption SET reversed_at = now()",
    "redemption_is_credited_once": "DELETE FROM vouchers_walletorder; DELETE FROM vouchers_transfer",
    "wallet_answer_agrees_with_transfers": "DELETE FROM vouchers_transfer",
    "wallet_order_is_answered_within_an_hour": "UPDATE vouchers_walletorder SET state = 'waiting', "
    "created_at = now() - interval '61 minutes'; UPDATE vouchers_redemption SET state = 'pending'",
}


@pytest.mark.parametrize("rule", DAMAGE)
def test_reconciliation_names_what_is_wrong(remote: Remote, rule: str) -> None:
    voucher()
    redeem(1)
    deliver_orders()
    assert reconcile() == []
    with connection.cursor() as cursor:
        cursor.execute(f"SET session_replication_role = replica; {DAMAGE[rule]}; SET session_replication_role = origin")
    assert rule in {found.rule for found in reconcile()}


# Comparison with the wallet


def transfers_here(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """As the wallet's own view does; deliveries too."""
    if request.path.endswith("/orders"):
        return apply_here(request, body)
    try:
        answer(request, [found._asdict() for found in transfers_of([UUID(id_) for id_ in json.loads(body)])])
    finally:
        connections.close_all()


def in_the_books(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET session_replication_role = replica; {statement}; SET session_replication_role = origin")


LOSSES = {
    "wallet_has_the_transfer": ("DELETE FROM vouchers_transfer WHERE kind = 'reversal'", ["reversal of 5.00"]),
    "wallet_has_no_other_transfer": (
        "UPDATE vouchers_walletorder SET state = 'refused' WHERE kind = 'reversal'",
        ["reversal of 5.00"],
    ),
}


@pytest.mark.parametrize("rule", LOSSES)
def test_comparison_finds_what_one_side_has_and_the_other_not(remote: Remote, rule: str) -> None:
    remote.respond = transfers_here
    voucher()
    first = redeem(1)
    redeem(2)
    deliver_orders()
    reverse_redemptions([first.id])
    redeem(3)
    assert compare_with_wallet() == (3, [])  # a reversal and a credit wait
    deliver_orders()
    assert compare_with_wallet() == (3, [])
    damage, expected = LOSSES[rule]
    in_the_books(damage)
    found = compare_with_wallet().found
    assert [(one.rule, one.example) for one in found] == [
        (rule, f"redemption {first.id}: {what} for {phone(1)}") for what in expected
    ]


def test_comparison_knows_another_amount_from_both_sides(remote: Remote) -> None:
    remote.respond = transfers_here
    voucher()
    redeem(1)
    deliver_orders()
    in_the_books("UPDATE vouchers_transfer SET amount = 6")
    assert [one.rule for one in compare_with_wallet().found] == list(LOSSES)


def test_reversal_during_the_comparison_is_no_difference(remote: Remote) -> None:
    def reverse_first(request: BaseHTTPRequestHandler, body: bytes) -> None:
        """Ordered and carried out, and the answer has not come."""
        reverse_redemptions([redemption.id])
        order = WalletOrder.objects.get(kind="reversal")
        apply_orders([Order(order.pk, order.kind, redemption.id, redemption.redeemer, redemption.amount)])
        transfers_here(request, body)

    voucher()
    redemption = redeem(1)
    deliver_orders()
    remote.respond = reverse_first
    assert compare_with_wallet() == (1, [])
    assert balances() == {phone(1): Decimal(0)}


def test_comparison_asks_for_pages_of_the_newest_that_are_kept_there(
    remote: Remote, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, settings.WALLET_URL = settings.WALLET_URL, ""
    voucher(limit=9)
    redeem(9)  # this one's wallet is here
    settings.WALLET_URL = elsewhere
    redeem_vouchers([wanted(user) for user in range(8)])
    deliver_orders()
    remote.respond = transfers_here
    del remote.seen[:]
    monkeypatch.setattr(comparing, "PAGE", 3)
    assert compare_with_wallet() == (8, [])
    assert len(remote.seen) == 3
    monkeypatch.setattr(comparing, "COMPARED", 3)
    assert compare_with_wallet() == (3, [])


def test_reconcile_command_compares_with_the_wallet(remote: Remote) -> None:
    remote.respond = transfers_here
    voucher()
    redeem(1)
    deliver_orders()
    out, errors = io.StringIO(), io.StringIO()
    call_command("reconcile", stdout=out)
    assert out.getvalue().startswith("1 redemptions were compared with the wallet's transfers\n")
    in_the_books("DELETE FROM vouchers_transfer; DELETE FROM vouchers_walletanswer; DELETE FROM vouchers_profile")
    with pytest.raises(CommandError) as ended:
        call_command("reconcile", stdout=out, stderr=errors)
    assert (ended.value.returncode, errors.getvalue().split(":")[0]) == (1, "wallet_has_the_transfer")
    remote.respond = wrong({"code": "insufficient-scope"}, 403)
    with pytest.raises(CommandError, match="403 insufficient-scope") as unknown:
        call_command("reconcile", stdout=out)
    assert unknown.value.returncode == 2


def test_wallet_tells_what_it_has_of_redemptions() -> None:
    order = credit(1)
    apply_orders([order, credit(2), reversal(order)])
    answered = django("POST", "/api/wallet/transfers", [str(order.id), str(uuid4())], **SHOP)
    common = {"redemption_id": str(order.id), "phone_number": phone(1), "amount": 5.0}
    assert answered.json == [common | {"kind": "redemption"}, common | {"kind": "reversal"}]
    wrong_id = django("POST", "/api/wallet/transfers", [str(order.id), 7], **SHOP)
    assert (wrong_id.status, wrong_id.json["errors"][0]["field"]) == (400, "[1].id")
