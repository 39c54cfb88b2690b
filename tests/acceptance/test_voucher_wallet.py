"""Two deployments, vouchers in one and wallets in the other, and a network between them that keeps no promise."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest

from config.env import BASE_DIR
from tests.acceptance.harness import OURS, Stack, paused, running_stack, wait_until
from tests.acceptance.proxy import FaultyProxy, faulty_proxy
from tests.vouchers import phone

pytestmark = pytest.mark.timeout(180)

LIMIT, USERS = 50, 200
IMPATIENT = 40  # of them ask twice for each voucher
CODES = {"SPRING": Decimal("5.00"), "SUMMER": Decimal("7.50"), "AUTUMN": Decimal("0.01")}
SMALL = {"WEB_WORKERS": "1", "IMPORT_WORKERS": "1", "FLUSH_WORKERS": "1"}


class Pair(NamedTuple):
    """The two deployments and what is between them. Attributes: remote: what tells the vouchers of the wallet."""

    vouchers: Stack
    wallet: Stack
    proxy: FaultyProxy
    remote: dict[str, str]


def manage(stack: Stack, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env=environment | variables | {"DATA_DIR": str(stack.data_dir)},
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("wallet")
    with ExitStack() as running:
        wallet = running.enter_context(running_stack(folder / "wallet", API_KEYS="required", **SMALL))
        key = manage(wallet, "create_api_key", "vouchers", "--scopes", "wallet:admin").stdout.split()[-1]
        proxy, address = running.enter_context(faulty_proxy(wallet.port))
        remote = {"WALLET_URL": address, "WALLET_API_KEY": key}
        vouchers = running.enter_context(running_stack(folder / "vouchers", **remote, **SMALL))
        yield Pair(vouchers, wallet, proxy, remote)
        with ThreadPoolExecutor(2) as both:
            list(both.map(Stack.stop, [vouchers, wallet]))


def rows(stack: Stack, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.database_url) as connection:
        return connection.execute(query).fetchall()


def redeem_all(stack: Stack, attempts: Sequence[tuple[str, str]]) -> Counter[int]:
    """Statuses of redemptions that are asked for at once."""
    with httpx.Client(base_url=stack.url, timeout=10) as client, ThreadPoolExecutor(16) as users:
        asked = [
            users.submit(client.post, "/api/vouchers/redeem", json={"code": code, "phone_number": user})
            for code, user in attempts
        ]
        answers = [answer.result() for answer in asked]
    assert {answer.json()["state"] for answer in answers if answer.status_code == 200} <= {"pending"}
    return Counter(answer.status_code for answer in answers)


def wait_until_all_replied(pair: Pair) -> None:
    waiting = "SELECT id, attempts, last_error FROM vouchers_walletorder WHERE state = 'waiting'"
    wait_until(lambda: not rows(pair.vouchers, waiting), "end", 40, lambda: rows(pair.vouchers, waiting)[:3])
    assert not pair.proxy.waiting  # every fault has happened
    pair.proxy.send_kept()  # and the last repeats come when all is over


def assert_books_agree(pair: Pair, amounts: dict[str, Decimal]) -> None:
    """Each redemption is one credit in the wallet, each reversal one debit, and balances are what is left."""
    redemptions = rows(
        pair.vouchers,
        "SELECT r.id, redeemer, code, state, reversed_at IS NOT NULL FROM vouchers_redemption r"
        " JOIN vouchers_voucher v ON v.id = voucher_id",
    )
    assert {state for *_, state, _ in redemptions} == {"credited"}
    credits = rows(pair.wallet, "SELECT redemption_id, credit, amount FROM vouchers_transfer WHERE kind = 'redemption'")
    debits = rows(pair.wallet, "SELECT redemption_id, debit, amount FROM vouchers_transfer WHERE kind = 'reversal'")
    assert sorted(credits) == sorted((id_, user, amounts[code]) for id_, user, code, *_ in redemptions)
    assert sorted(debits) == sorted((id_, user, amounts[code]) for id_, user, code, _, gone in redemptions if gone)
    balances: Counter[str] = Counter()
    for _, user, code, _, gone in redemptions:
        balances[user] += Decimal(0) if gone else amounts[code]  # type: ignore[assignment]
    assert dict(rows(pair.wallet, "SELECT phone_number, balance FROM vouchers_profile")) == balances
    for stack, variables in ((pair.vouchers, pair.remote), (pair.wallet, {})):
        proof = manage(stack, "reconcile", **variables)
        assert proof.returncode == 0, proof.stderr
        assert (f"{len(redemptions)} redemptions were compared" in proof.stdout) == bool(variables)


def test_everyone_is_credited_once_through_a_network_that_loses_holds_cuts_and_repeats(pair: Pair) -> None:
    for code, amount in CODES.items():
        terms = {"code": code, "amount": float(amount), "limit": LIMIT}
        assert httpx.post(f"{pair.vouchers.url}/api/vouchers", json=terms).status_code == 201
    attempts = [(code, phone(user)) for code in CODES for user in [*range(USERS), *range(IMPATIENT)]]
    random.Random(7).shuffle(attempts)
    asked = Counter(attempts)
    statuses: Counter[int] = Counter()

    # given a few redemptions before each fault, so that each meets one
    for fault in pair.proxy.faults:
        pair.proxy.waiting.append(fault)
        some, attempts = attempts[:12], attempts[12:]
        statuses += redeem_all(pair.vouchers, some)
        if fault == "answer held":
            wait_until(lambda: "holding" in pair.proxy.happened, "delivery", 40)
            kill_deliverer(pair.vouchers)
        else:
            wait_until(lambda fault=fault: fault in pair.proxy.happened, fault, 40)  # type: ignore[misc]

    # when all others come at once, the worker is killed once more, and more faults meet what is left
    delivered = pair.proxy.deliveries
    pair.proxy.waiting.extend(["answer lost", "answer cut", "sent again later"])
    with ThreadPoolExecutor(1) as racing:
        rest = racing.submit(redeem_all, pair.vouchers, attempts)
        wait_until(lambda: pair.proxy.deliveries > delivered, "delivery", 40)
        kill_deliverer(pair.vouchers)
        statuses += rest.result()
    wait_until_all_replied(pair)

    # then the limit is reached, and nobody has two places, however often they asked
    winners = rows(
        pair.vouchers,
        "SELECT code, redeemer FROM vouchers_redemption r JOIN vouchers_voucher v ON v.id = voucher_id",
    )
    assert Counter(code for code, _ in winners) == dict.fromkeys(CODES, LIMIT)
    assert set(Counter(winners).values()) == {1}
    repeats = sum(asked[winner] - 1 for winner in winners)
    assert repeats
    assert statuses == {200: len(winners), 409: repeats, 404: asked.total() - len(winners) - repeats}
    live = "SELECT code, redeemed FROM vouchers_voucher"
    assert dict(rows(pair.vouchers, live)) == dict.fromkeys(CODES, LIMIT)
    assert_books_agree(pair, CODES)


def test_reversal_frees_its_place_when_the_wallet_has_agreed(pair: Pair) -> None:
    live = rows(
        pair.vouchers,
        "SELECT r.id FROM vouchers_redemption r JOIN vouchers_voucher v ON v.id = voucher_id WHERE code = 'SUMMER'",
    )
    for faults, reversed_now in [(["answer lost", "sent twice"], live[:2]), (["sent again later"], live[2:5])]:
        pair.proxy.waiting.extend(faults)
        for (redemption_id,) in reversed_now:
            answer = httpx.post(f"{pair.vouchers.url}/api/vouchers/redemptions/{redemption_id}/reverse")
            assert (answer.status_code, answer.json()["reversed_at"]) == (200, None)
        wait_until_all_replied(pair)
    assert rows(pair.vouchers, "SELECT redeemed FROM vouchers_voucher WHERE code = 'SUMMER'") == [(LIMIT - 5,)]
    late = [("SUMMER", phone(user)) for user in range(USERS, USERS + 20)]
    assert redeem_all(pair.vouchers, late) == {200: 5, 404: 15}
    wait_until_all_replied(pair)
    assert_books_agree(pair, CODES)


def test_redemptions_go_on_while_the_wallet_stands_still(pair: Pair) -> None:
    terms = {"code": "WINTER", "amount": 1, "limit": 5}
    assert httpx.post(f"{pair.vouchers.url}/api/vouchers", json=terms).status_code == 201
    with paused(pair.wallet.pids("web")):
        assert redeem_all(pair.vouchers, [("WINTER", phone(user)) for user in range(8)]) == {200: 5, 404: 3}
        started = time.monotonic()
        assert httpx.get(f"{pair.vouchers.url}/api/profiles/{phone(1)}", timeout=10).status_code == 503
        assert time.monotonic() - started < 2
    wait_until_all_replied(pair)
    assert_books_agree(pair, CODES | {"WINTER": Decimal(1)})
    ((user, balance),) = rows(pair.wallet, "SELECT phone_number, balance FROM vouchers_profile ORDER BY id LIMIT 1")
    wait_until(lambda: httpx.get(f"{pair.vouchers.url}/api/profiles/{user}").status_code == 200, "profile", 10)
    assert Decimal(str(httpx.get(f"{pair.vouchers.url}/api/profiles/{user}").json()["balance"])) == balance


def kill_deliverer(stack: Stack) -> None:
    for pid in stack.pids("worker-batches"):
        os.kill(pid, signal.SIGKILL)
