"""Redemption while stores hang or are gone: without Valkey it goes on, without PostgreSQL nothing is half done."""

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import httpx
import psycopg
import pytest

from tests.acceptance.harness import Stack, paused, wait_until

LIMIT = 20
VALKEYS = ("truth", "cache")
client = httpx.Client(timeout=10)
codes = (f"OUTAGE-{number}" for number in count())


@pytest.fixture
def code(stack: Stack) -> str:
    """A fresh voucher of LIMIT places."""
    code = next(codes)
    made = client.post(f"{stack.url}/api/vouchers", json={"code": code, "amount": 2.5, "limit": LIMIT})
    assert made.status_code == 201
    return code


def phone(number: int) -> str:
    return f"+4915{number:09d}"


def redeem(stack: Stack, code: str, user: int, key: str = "") -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    content = {"phone_number": phone(user), "code": code}
    return client.post(f"{stack.url}/api/vouchers/redeem", json=content, headers=headers)


def assert_every_place_is_taken_once(stack: Stack, code: str) -> None:
    """And paid for, and nothing else was."""
    with psycopg.connect(stack.database_url) as connection:
        redeemers = connection.execute(
            "SELECT redeemer FROM vouchers_redemption JOIN vouchers_voucher voucher ON voucher.id = voucher_id"
            " WHERE code = %s AND reversed_at IS NULL",
            [code],
        ).fetchall()
    assert len(set(redeemers)) == len(redeemers) == LIMIT
    done = stack.manage("reconcile")
    assert done.returncode == 0, done.stderr


def assert_voucher_is_redeemed_as_ever(stack: Stack, code: str) -> None:
    """By more users than it has places, some of whom repeat themselves."""
    first = redeem(stack, code, 0, key=code)
    assert first.status_code == 200
    assert [redeem(stack, code, user).status_code for user in range(1, LIMIT)] == [200] * (LIMIT - 1)
    assert {redeem(stack, code, user).json()["code"] for user in range(LIMIT, LIMIT + 5)} == {"voucher-unavailable"}
    assert redeem(stack, code, 1).json()["code"] == "already-redeemed"
    again = redeem(stack, code, 0, key=code)
    assert (again.status_code, again.json()) == (200, first.json())


def test_redemption_goes_on_while_both_valkeys_hang(stack: Stack, code: str) -> None:
    with paused([pid for part in VALKEYS for pid in stack.pids(part)]):
        assert_voucher_is_redeemed_as_ever(stack, code)
        assert client.get(f"{stack.url}/api/vouchers", params={"code": code}).json()["remaining"] == 0
    assert_every_place_is_taken_once(stack, code)


def test_redemption_goes_on_while_both_valkeys_are_dead(stack: Stack, code: str) -> None:
    """The supervisor sleeps meanwhile, or it would start them again at once."""
    old = {part: stack.pids(part)[0] for part in VALKEYS}
    with paused([stack.process.pid]):
        for part in VALKEYS:
            stack.kill(part)
        assert_voucher_is_redeemed_as_ever(stack, code)
    for part, pid in old.items():
        stack.wait_for_restart(part, pid)
    assert_every_place_is_taken_once(stack, code)


def test_without_postgresql_redemptions_are_refused_in_time_and_nothing_is_half_done(stack: Stack, code: str) -> None:
    """PostgreSQL hangs in the middle of a race. Then everybody repeats what was not answered."""
    users = range(3 * LIMIT)
    with ThreadPoolExecutor(8) as pool:
        before = list(pool.map(lambda user: redeem(stack, code, user, key_of(user)), users[: LIMIT // 2]))
        racing = [pool.submit(_redeem_timed, stack, code, user) for user in users[LIMIT // 2 : -8]]
        with paused(stack.pids("postgres")):
            racing += [pool.submit(_redeem_timed, stack, code, user) for user in users[-8:]]
            hung = [_redeem_timed(stack, code, user) for user in users[-3:]]
            during = [done.result() for done in racing]
    assert [response.status_code for response in before] == [200] * (LIMIT // 2)
    assert {(response.status_code, response.json()["code"]) for response, _ in hung} == {(503, "store-unavailable")}
    assert all("retry-after" in response.headers for response, _ in hung)
    assert max(seconds for _, seconds in [*hung, *during]) < 2, sorted(
        (round(seconds, 2), response.status_code) for response, seconds in [*hung, *during]
    )
    assert 503 in {response.status_code for response, _ in during} <= {200, 404, 503}
    _assert_repeats_are_answered_alike(stack, code, [response for response, _ in during], users[LIMIT // 2 :])
    assert_every_place_is_taken_once(stack, code)


def key_of(user: int) -> str:
    """For every other user."""
    return f"key-of-{user}" if user % 2 else ""


def _redeem_timed(stack: Stack, code: str, user: int) -> tuple[httpx.Response, float]:
    started = time.monotonic()
    return redeem(stack, code, user, key_of(user)), time.monotonic() - started


def _assert_repeats_are_answered_alike(
    stack: Stack, code: str, answers: Sequence[httpx.Response], users: Sequence[int]
) -> None:
    wait_until(lambda: redeem(stack, code, users[0], key_of(users[0])).status_code != 503, "PostgreSQL's answer", 30)
    found: Counter[str] = Counter()
    for user, first in zip(users, answers, strict=True):
        again = redeem(stack, code, user, key_of(user))
        known = again.json() if again.status_code == 200 else again.json().get("redemption", {})
        found["places" if known else again.json()["code"]] += 1
        if first.status_code == 200:
            assert known["id"] == first.json()["id"]
        if first.status_code == 404:
            assert not known
    assert found == {"places": LIMIT // 2, "voucher-unavailable": len(users) - LIMIT // 2}
