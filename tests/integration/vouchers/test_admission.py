"""Admission control: refusals without the database, never older than a second, and never wrong about a user."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from redis.exceptions import ConnectionError as StoreGone

from common.errors import FloodgateError
from common.recent import Recent
from common.stores import valkey
from common.stores.guarded import CACHE
from tests.garbage import GARBAGE, put_garbage
from tests.vouchers import forget_local_flags, phone, redeem, taken, voucher, wanted, words
from vouchers.admission import flags, shared
from vouchers.admission.flags import FLAGS
from vouchers.admission.redeemers import UNKNOWN, Stamp
from vouchers.codes.limits import change_limits
from vouchers.models import Redemption, Voucher
from vouchers.redemption import screening
from vouchers.redemption.reversing import reverse_redemptions
from vouchers.redemption.screening import redeem_admitted, refuse_known, renew_flags
from vouchers.types import LimitChange, Redeem, Redeemed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_limits(settings: Settings) -> None:
    settings.RATE_LIMIT = "off"


def ask(user: int, code: str = "SUMMER") -> str:
    """Through admission control, as a request comes: the outcome's name."""
    item = wanted(user, code)
    try:
        refuse_known(item)
    except FloodgateError as error:
        return type(error).__name__
    return words(redeem_admitted([item]))[0]


def statements(work: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def used_up(code: str = "SUMMER") -> Redeemed:
    voucher(code, 1)
    return redeem(9, code)


def test_second_refusal_needs_nobody() -> None:
    used_up()
    assert ask(1) == "VoucherUnavailable"
    assert statements(lambda: ask(2)) == 0
    with pytest.raises(FloodgateError, match="cannot be redeemed"):
        refuse_known(wanted(3))


def test_unknown_code_is_flagged_like_a_used_up_one() -> None:
    ask(1, "NOTHING")
    assert statements(lambda: ask(2, "NOTHING")) == 0


def test_who_has_a_place_is_told_so_past_the_flag() -> None:
    used_up()
    ask(1)
    assert ask(9) == "AlreadyRedeemed"
    assert statements(lambda: ask(9)) == 0


def test_flag_of_another_process_is_enough_where_the_redeemers_are_known() -> None:
    used_up()
    ask(1)
    FLAGS._codes = Recent(10)
    assert statements(lambda: ask(2)) == 0
    forget_local_flags()
    assert statements(lambda: ask(2)) > 0


@pytest.mark.parametrize("level", ["process", "store"])
def test_flag_ends_a_second_after_the_read_that_it_comes_from(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    used_up()
    seen = shared.read_shared_flags()
    monkeypatch.setattr(screening, "read_shared", lambda codes, subjects: (seen, {}))
    monkeypatch.setattr(flags, "FLAG_SECONDS", flags.FLAG_SECONDS)
    ask(1)
    monkeypatch.undo()
    age = time.monotonic() - seen.here
    left_ms = valkey.cache_store().pttl(valkey.key("gate", "SUMMER"))
    assert 0 < left_ms <= 1000
    assert left_ms <= 1000 * (1 - age) + 5
    until = FLAGS._codes.get("SUMMER").until  # type: ignore[union-attr]
    assert until == seen.here + 1
    monkeypatch.setattr(time, "monotonic", lambda: until + 0.001)
    if level == "store":
        valkey.cache_store().delete(valkey.key("gate", "SUMMER"))
    assert FLAGS.refusal("SUMMER", phone(1)) is None


def test_shared_flag_is_believed_no_longer_than_it_lasts() -> None:
    used_up()
    ask(1)
    valkey.cache_store().pexpire(valkey.key("gate", "SUMMER"), 300)
    FLAGS._codes = Recent(10)
    before = time.monotonic()
    shared.read_shared_flags(["SUMMER"])
    assert FLAGS._codes.get("SUMMER").until <= before + 0.31  # type: ignore[union-attr]


# Changes


def raise_limit() -> None:
    change_limits([LimitChange("SUMMER", 2, "test")])


def reverse() -> None:
    reverse_redemptions([Redemption.objects.get().id])


@pytest.mark.parametrize("change", [raise_limit, reverse])
def test_change_opens_the_gate_here_at_once_and_elsewhere_with_the_next_look(change: Callable[[], None]) -> None:
    used_up()
    assert ask(1) == "VoucherUnavailable"
    change()
    assert FLAGS.refusal("SUMMER", phone(1)) is None
    forget_local_flags()
    assert ask(1) == "Redeemed"


def test_creation_opens_the_gate() -> None:
    assert ask(1, "SUMMER") == "VoucherUnavailable"
    voucher()
    assert ask(1, "SUMMER") == "Redeemed"


@pytest.mark.parametrize("change", [raise_limit, reverse])
def test_refusal_seen_before_a_change_cannot_come_after_it(change: Callable[[], None]) -> None:
    used_up()
    seen = shared.read_shared_flags()
    stamp = Stamp(*Voucher.objects.values_list("revision", "redeemed").get())
    change()
    shared.flag_codes({"SUMMER": stamp}, seen)
    assert FLAGS.refusal("SUMMER", phone(1)) is None
    assert valkey.cache_store().get(valkey.key("gate", "SUMMER")) == b"o 2 0"
    assert ask(1) == "Redeemed"


def test_unknown_code_seen_before_its_creation_cannot_come_after_it() -> None:
    seen = shared.read_shared_flags()
    voucher()
    shared.flag_codes({"SUMMER": UNKNOWN}, seen)
    forget_local_flags()
    assert ask(1) == "Redeemed"


def test_voucher_that_is_used_up_again_is_flagged_again() -> None:
    used_up()
    ask(1)
    raise_limit()
    assert [ask(1), ask(2)] == ["Redeemed", "VoucherUnavailable"]
    assert statements(lambda: ask(3)) == 0
    assert ask(1) == "AlreadyRedeemed"


def test_reversed_user_is_not_told_that_they_have_redeemed() -> None:
    voucher(limit=5)
    redeem(1)
    assert ask(1) == "AlreadyRedeemed"
    reverse()
    assert ask(1) == "Redeemed"


def test_lost_mark_of_a_change_costs_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that changed the voucher died between its commit and the mark."""
    used_up()
    ask(1)
    monkeypatch.setattr("vouchers.codes.limits.clear_flags", lambda revisions: None)
    raise_limit()
    assert ask(1) == "VoucherUnavailable"
    deadline = time.monotonic() + 1.2
    while ask(1) != "Redeemed":
        assert time.monotonic() < deadline
        time.sleep(0.02)


# Renewal


def test_renewal_keeps_what_is_asked_flagged_and_drops_what_is_open() -> None:
    used_up()
    used_up("OTHER")
    for _ in range(2):
        for code in ("SUMMER", "OTHER", "NOTHING"):
            shared.read_shared_flags([code])
            ask(1, code)
    FLAGS._codes._young.clear()
    Voucher.objects.filter(code="OTHER").update(limit=2, revision=2)
    assert sorted(shared.asked_codes()) == ["NOTHING", "OTHER", "SUMMER"]
    valkey.cache_store().delete(*(valkey.key("gate", code) for code in ("SUMMER", "OTHER", "NOTHING")))
    assert renew_flags() == 2
    assert statements(lambda: [ask(2), ask(2, "NOTHING")]) == 0
    assert ask(2, "OTHER") == "Redeemed"


def test_nothing_asked_is_nothing_renewed() -> None:
    assert statements(renew_flags) == 0


# Without the store


def test_without_the_store_everything_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: Any, **kwargs: Any) -> None:
        raise StoreGone

    for script in ("asked", "flags"):
        monkeypatch.setattr(shared._script(script), "registered_client", None)
    monkeypatch.setattr(shared, "_script", lambda name: gone)
    monkeypatch.setattr(CACHE, "open", lambda: setattr(CACHE, "is_open", True))
    voucher(limit=1)
    assert [ask(1), ask(1), ask(2), ask(2)] == ["Redeemed", "AlreadyRedeemed"] + ["VoucherUnavailable"] * 2
    raise_limit()
    assert ask(2) == "Redeemed"
    assert taken() == 2


def test_failed_batch_flags_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    used_up()

    def fail(wanted: list[Redeem]) -> list[Any]:
        raise OperationalError

    monkeypatch.setattr(screening, "redeem_vouchers", fail)
    with pytest.raises(OperationalError):
        redeem_admitted([wanted(1)])
    assert FLAGS.refusal("SUMMER", phone(1)) is None


def test_flags_that_cannot_be_read_are_no_answer_to_a_redemption(monkeypatch: pytest.MonkeyPatch) -> None:
    voucher(limit=1)

    def fail(*args: object) -> None:
        raise OperationalError

    monkeypatch.setattr(screening, "flag_outcomes", fail)
    assert words(redeem_admitted([wanted(1), wanted(2)])) == ["Redeemed", "VoucherUnavailable"]


def test_amount_is_exact_after_a_refusal() -> None:
    used_up()
    ask(9)
    refusal = FLAGS.refusal("SUMMER", phone(9))
    assert refusal is not None
    assert refusal.members()["redemption"]["amount"] == Decimal("5.00")


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_in_the_cache_is_no_flag_and_is_replaced(kind: str) -> None:
    used_up()
    voucher("OPEN")
    flag_keys = [valkey.key("gate", code) for code in ("SUMMER", "OPEN")]
    put_garbage(kind, valkey.key("gate-asked"), *flag_keys)
    shared.asked_codes()
    assert [ask(1), ask(1, "OPEN"), ask(9)] == ["VoucherUnavailable", "Redeemed", "AlreadyRedeemed"]
    put_garbage(kind, *flag_keys)
    shared.flag_codes({"SUMMER": Stamp(1, 1)}, shared.read_shared_flags())
    assert str(valkey.cache_store().get(flag_keys[0])) == "b'x 1 1'"
    put_garbage(kind, valkey.key("gate-asked"), *flag_keys)
    change_limits([LimitChange("SUMMER", 2, "ada")])
    assert ask(1) == "Redeemed"
    renew_flags()
    assert not CACHE.is_open


def test_shared_flag_ends_after_a_second_however_long_its_key_lives() -> None:
    used_up()
    ask(1)
    valkey.cache_store().set(valkey.key("gate", "SUMMER"), "x 1 1", ex=1_000)
    FLAGS._codes = Recent(10)
    shared.read_shared_flags(["SUMMER"])
    flag = FLAGS._codes.get("SUMMER")
    assert flag is None or flag.until <= time.monotonic() + flags.FLAG_SECONDS
