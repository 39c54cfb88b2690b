"""Codes cannot be found by trying: who is refused too often, or reads too much that is not there, is not answered."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_django import Settings
from redis.commands.core import Script

from common.errors import FloodgateError, RateLimited
from common.recent import Recent
from common.stores import valkey
from common.stores.guarded import CACHE
from gateway.keys.clients import Client
from tests.garbage import GARBAGE, put_garbage
from tests.roads import Answer, django, hot_path
from tests.vouchers import forget_local_flags, phone, record_of, redeem, voucher, wanted, words
from vouchers.admission import cachecalls, failedattempts
from vouchers.admission.lookups import look_up_vouchers
from vouchers.redemption.screening import redeem_admitted, refuse_known
from vouchers.types import Lookup, Redeem

pytestmark = pytest.mark.django_db(transaction=True)

HERE = "203.0.113.1"


def used_up(code: str = "SUMMER") -> None:
    voucher(code, 1)
    redeem(9, code)


@pytest.fixture(autouse=True)
def limits(settings: Settings) -> None:
    settings.RATE_LIMIT = "on"
    settings.VOUCHER_GUESSES_PER_USER, settings.VOUCHER_GUESSES_PER_ADDRESS = 3, 5


def attempt(user: int, code: str, address: str = "203.0.113.1") -> str:
    item = Redeem(code, phone(user), None, address)
    try:
        refuse_known(item)
    except FloodgateError as error:
        return type(error).__name__
    return words(redeem_admitted([item]))[0]


def test_user_who_tries_codes_is_throttled_on_every_code() -> None:
    voucher()
    assert [attempt(1, f"G{n}", f"203.0.113.{n}") for n in range(3)] == ["VoucherUnavailable"] * 3
    assert attempt(1, "SUMMER", "203.0.113.9") == "RateLimited"
    assert attempt(2, "SUMMER", "203.0.113.9") == "Redeemed"


def test_other_processes_throttle_too() -> None:
    for n in range(3):
        attempt(1, f"G{n}")
    failedattempts._throttled_until = Recent(10)
    assert attempt(1, "SUMMER") == "RateLimited"


def test_address_that_tries_codes_is_throttled_for_every_user() -> None:
    voucher()
    assert [attempt(user, f"G{user}") for user in range(5)] == ["VoucherUnavailable"] * 5
    assert attempt(6, "SUMMER") == "RateLimited"
    assert attempt(6, "SUMMER", "203.0.113.2") == "Redeemed"


def test_crowd_that_is_late_for_one_voucher_is_not_throttled() -> None:
    used_up()
    voucher("OPEN")
    crowd = [Redeem("SUMMER", phone(user), None, "203.0.113.1") for user in range(100, 140)]
    assert set(words(redeem_admitted(crowd))) == {"VoucherUnavailable"}
    assert attempt(99, "OPEN") == "Redeemed"


def test_addresses_of_one_customer_are_throttled_together() -> None:
    voucher()
    for user in range(5):
        attempt(user, f"G{user}", f"2001:db8::{user + 1}")
    assert attempt(6, "SUMMER", "2001:db8::ffff") == "RateLimited"
    assert attempt(6, "SUMMER", "2001:db8:0:1::1") == "Redeemed"


def test_throttled_one_learns_when_to_come_again() -> None:
    for n in range(4):
        attempt(1, f"G{n}")
    with pytest.raises(RateLimited) as refused:
        refuse_known(wanted(1))
    assert refused.value.policy == "guesses-per-user"
    assert 1 <= refused.value.retry_after_seconds <= 60


def test_repeats_of_a_flagged_code_are_no_failed_attempts() -> None:
    used_up()
    assert {attempt(user, "SUMMER") for user in range(1, 9)} == {"VoucherUnavailable"}


def test_code_that_is_asked_for_again_without_a_flag_is_one_failed_attempt() -> None:
    used_up()
    voucher("OPEN")
    for user in range(1, 9):
        assert attempt(user, "SUMMER") == "VoucherUnavailable"
        forget_local_flags()
        valkey.cache_store().delete(valkey.key("gate", "SUMMER"))
    assert [attempt(user, f"G{user}") for user in range(4)] == ["VoucherUnavailable"] * 4
    assert attempt(9, "OPEN") == "RateLimited"


def test_code_counts_again_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    for seconds in (0, 59, 61, 122, 183):
        monkeypatch.setattr(failedattempts, "time", SimpleNamespace(monotonic=lambda at=now + seconds: at))
        look("G1")
    assert look(*(f"H{n}" for n in range(2))) == ["VoucherNotFound", "RateLimited"]


def test_known_code_of_a_batch_takes_no_attempt_of_another() -> None:
    used_up()
    voucher("OPEN")
    assert batch((1, "SUMMER"), *((user, f"G{user}") for user in range(3))) == ["VoucherUnavailable"] * 4
    assert batch((2, "SUMMER"), (3, "SUMMER"), (4, "OPEN")) == ["VoucherUnavailable"] * 2 + ["Redeemed"]


def test_user_of_a_key_is_not_held_up_by_strangers_who_give_the_number() -> None:
    voucher()
    assert [attempt(1, f"G{n}") for n in range(4)] == ["VoucherUnavailable"] * 3 + ["RateLimited"]
    keyed = [Redeem("SUMMER", phone(1), account=account) for account in ("shop", "kiosk")]
    assert words(redeem_admitted(keyed)) == ["Redeemed", "AlreadyRedeemed"]


def test_success_is_no_failed_attempt() -> None:
    voucher(limit=50)
    assert {attempt(user, "SUMMER") for user in range(20)} == {"Redeemed"}
    assert {attempt(1, "SUMMER") for _ in range(9)} == {"AlreadyRedeemed"}


# Within a batch


def batch(*items: tuple[int, str], address: str = HERE) -> list[str]:
    return words(redeem_admitted([Redeem(code, phone(user), None, address) for user, code in items]))


def test_batch_tries_no_more_codes_of_a_user_than_are_left() -> None:
    voucher()
    attempt(1, "G0", "")
    found = batch(*((1, f"G{n}") for n in (1, 1, 2, 1, 3, 4)), (1, "SUMMER"), (2, "SUMMER"), address="")
    assert found == ["VoucherUnavailable"] * 4 + ["RateLimited"] * 3 + ["Redeemed"]
    assert attempt(1, "SUMMER", "") == "RateLimited"


def test_batch_tries_no_more_codes_from_an_address_than_are_left() -> None:
    voucher()
    found = batch(*((user, f"G{user}") for user in range(7)), (8, "SUMMER"))
    assert found == ["VoucherUnavailable"] * 5 + ["RateLimited"] * 3
    assert batch((8, "SUMMER"), address="203.0.113.2") == ["Redeemed"]


def test_codes_beyond_what_is_left_may_come_again_at_once_when_none_failed() -> None:
    for n in range(5):
        voucher(f"V{n}")
    assert batch(*((1, f"V{n}") for n in range(5))) == ["Redeemed"] * 3 + ["RateLimited"] * 2
    assert batch((1, "V3"), (1, "V4")) == ["Redeemed"] * 2


@pytest.mark.parametrize("level", ["process", "store"])
def test_throttled_one_gets_the_kept_answer_again(level: str) -> None:
    voucher()
    first = wanted(1, idempotency=record_of("k"))._replace(address=HERE)
    assert words(redeem_admitted([first])) == ["Redeemed"]
    assert [attempt(1, f"G{n}") for n in range(3)] == ["VoucherUnavailable"] * 3
    if level == "store":
        failedattempts._throttled_until = Recent(10)
    repeats = [
        first,
        first._replace(idempotency=record_of("k", "other")),
        first._replace(idempotency=record_of("fresh")),
        wanted(1),
    ]
    for item in repeats[:3]:
        refuse_known(item)
    assert words(redeem_admitted(repeats)) == ["Replayed", "IdempotencyKeyReused", "RateLimited", "RateLimited"]
    with pytest.raises(RateLimited):
        refuse_known(repeats[3])


def test_slow_cache_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers each time, but a redemption asks it up to three times."""
    calls: list[object] = []
    run = Script.__call__

    def counted(script: Script, *args: Any, **kwargs: Any) -> Any:
        calls.append(script)
        return run(script, *args, **kwargs)

    monkeypatch.setattr(Script, "__call__", counted)
    assert batch((1, "UNKNOWN")) == ["VoucherUnavailable"]
    assert (len(calls), CACHE.is_open) == (3, False)
    calls.clear()
    # Without the probe, which closes it again at once.
    monkeypatch.setattr(CACHE, "open", lambda: setattr(CACHE, "is_open", True))
    monkeypatch.setattr(cachecalls, "SLOW_SECONDS", 0.0)
    assert batch((1, "OTHER")) == ["VoucherUnavailable"]
    assert (len(calls), CACHE.is_open) == (1, True)


def test_batch_is_not_throttled_without_the_store() -> None:
    CACHE.is_open = True
    assert batch(*((1, f"G{n}") for n in range(9))) == ["VoucherUnavailable"] * 9


# Reads


def look(*codes: str, account: str = "", address: str = HERE) -> list[str]:
    return words(look_up_vouchers([Lookup(code, account, address) for code in codes]))


def test_reads_of_codes_that_are_not_there_are_failed_attempts_of_the_address() -> None:
    voucher()
    assert look("G1", "SUMMER", "G2", "G1") == ["VoucherNotFound", "VoucherState"] + ["VoucherNotFound"] * 2
    assert [attempt(1, "G3"), attempt(2, "G4"), attempt(3, "G5")] == ["VoucherUnavailable"] * 3
    assert look("SUMMER") == [attempt(4, "SUMMER")] == ["RateLimited"]
    assert look("SUMMER", address="203.0.113.2") == ["VoucherState"]


def test_reads_of_a_batch_are_no_more_than_are_left() -> None:
    assert look(*(f"G{n}" for n in range(9))) == ["VoucherNotFound"] * 5 + ["RateLimited"] * 4


def test_reads_of_what_is_there_are_no_failed_attempts() -> None:
    voucher()
    assert {word for _ in range(9) for word in look("SUMMER")} == {"VoucherState"}


Ask = Callable[..., Answer]


def through_hot_path(*args: Any) -> Answer:
    return hot_path(*args)


def through_django(*args: Any) -> Answer:
    return django(*args, X_Floodgate_Account="shop")


@pytest.fixture(params=[through_hot_path, through_django], ids=["hot path", "twin"])
def shop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Asks with an API key."""

    def identify(peer: str, fields: object, *, is_public: bool) -> Client:
        return Client("127.0.0.1", "shop")

    monkeypatch.setattr("gateway.server.app.identify_now", identify)
    road: Ask = request.param
    return road


def test_key_that_reads_too_much_that_is_not_there_reads_no_more_and_still_redeems(shop: Ask) -> None:
    voucher()
    reads = [shop("GET", f"/api/vouchers?code=G{n}").status for n in range(6)]
    assert reads == [404] * 5 + [429]
    refused = shop("GET", "/api/vouchers?code=SUMMER")
    assert (refused.status, refused.json["code"]) == (429, "rate-limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    redeemed = shop("POST", "/api/vouchers/redeem", {"phone_number": phone(1), "code": "SUMMER"})
    assert redeemed.status == 200
    assert django("GET", "/api/vouchers?code=SUMMER").status == 200


def test_key_speaks_for_many_users_of_whom_each_has_attempts_of_their_own(shop: Ask) -> None:
    voucher()

    def ask(user: int, code: str) -> int:
        return shop("POST", "/api/vouchers/redeem", {"phone_number": phone(user), "code": code}).status

    assert [ask(user, f"G{user}") for user in range(9)] == [404] * 9
    assert [ask(20, f"H{n}") for n in range(4)] == [404] * 3 + [429]
    assert ask(21, "SUMMER") == 200


def test_reports_of_codes_that_are_not_there_are_failed_attempts_too() -> None:
    voucher()
    assert [django("GET", f"/api/vouchers/report?code=G{n}").status for n in range(6)] == [404] * 5 + [429]
    assert django("GET", "/api/vouchers/report?code=SUMMER").status == 429
    assert django("GET", "/api/vouchers?code=SUMMER").status == 429
    assert django("GET", "/api/vouchers/report?code=SUMMER", X_Floodgate_Account="shop").status == 200


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_in_the_cache_counts_as_no_failed_attempt(kind: str) -> None:
    voucher()
    subjects = [valkey.key("guesses", "user", phone(1)), valkey.key("guesses", "address", HERE)]
    put_garbage(kind, *subjects)
    assert attempt(1, "G1", HERE) == "VoucherUnavailable"
    assert not CACHE.is_open
    assert attempt(1, "SUMMER", HERE) == "Redeemed" if "9" not in kind else True
    put_garbage(kind, *subjects)
    assert [attempt(1, f"G{n}", HERE) for n in range(2, 5)].count("RateLimited") <= 1
