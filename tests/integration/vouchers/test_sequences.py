"""Any sequence of redemptions, reversals, limit changes and movements comes out as in a simple model."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.vouchers import balances, phone, redeemers, voucher, wanted, words
from vouchers.codes.limits import change_limits
from vouchers.models import Redemption
from vouchers.redemption.redeeming import redeem_vouchers
from vouchers.redemption.reversing import reverse_redemptions
from vouchers.types import LimitChange, Movement
from vouchers.wallet.reconciling import _SQL as RULES
from vouchers.wallet.wallets import move_money

pytestmark = pytest.mark.django_db(transaction=True)

USERS = st.integers(1, 6)
STEPS = st.one_of(
    st.tuples(st.just("redeem"), st.lists(USERS, min_size=1, max_size=8)),
    st.tuples(st.just("reverse"), USERS),
    st.tuples(st.just("limit"), st.integers(1, 6)),
    st.tuples(st.just("spend"), USERS),
)


class Model:
    """One voucher of 5.00 and its users, one thing after the other."""

    def __init__(self) -> None:
        self.limit = 3
        self.places: list[str] = []
        self.balances: dict[str, Decimal] = {}

    def redeem(self, users: list[int]) -> list[str]:
        return [self._redeem(phone(user)) for user in users]

    def _redeem(self, user: str) -> str:
        if user in self.places:
            return "AlreadyRedeemed"
        if len(self.places) >= self.limit:
            return "VoucherUnavailable"
        self.places.append(user)
        self.balances[user] = self.balances.get(user, Decimal(0)) + 5
        return "Redeemed"

    def reverse(self, user: int) -> list[str]:
        if phone(user) not in self.places:
            return ["RedemptionNotFound"]
        if self.balances[phone(user)] < 5:
            return ["RedemptionSpent"]
        self.places.remove(phone(user))
        self.balances[phone(user)] -= 5
        return ["ReversedRedemption"]

    def change(self, limit: int) -> list[str]:
        if limit < len(self.places):
            return ["LimitBelowRedeemed"]
        self.limit = limit
        return ["VoucherState"]

    def spend(self, user: int) -> list[str]:
        if phone(user) not in self.balances:
            return ["ProfileNotFound"]
        if self.balances[phone(user)] < 3:
            return ["BalanceTooLow"]
        self.balances[phone(user)] -= 3
        return ["Moved"]


def really_reverse(user: int) -> list[Any]:
    live = Redemption.objects.filter(redeemer=phone(user), reversed_at=None).values_list("id", flat=True).first()
    return list(reverse_redemptions([live])) if live else []


def carry_out(kind: str, what: Any, model: Model) -> None:
    if kind == "redeem":
        assert words(redeem_vouchers([wanted(user) for user in what])) == model.redeem(what)
    elif kind == "reverse":
        assert (words(really_reverse(what)) or ["RedemptionNotFound"]) == model.reverse(what)
    elif kind == "limit":
        assert words(change_limits([LimitChange("SUMMER", what, "test")])) == model.change(what)
    else:
        assert words(move_money([Movement(phone(what), Decimal(-3))])) == model.spend(what)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, max_size=15))
def test_every_sequence_comes_out_as_in_the_model(steps: list[tuple[str, Any]]) -> None:
    with transaction.atomic():
        voucher(limit=3)
        model = Model()
        for kind, what in steps:
            carry_out(kind, what, model)
            assert (redeemers(), balances()) == (model.places, model.balances)
        with connection.cursor() as cursor:
            for rule, statement in RULES.items():
                cursor.execute(statement, {"examples": 1})
                assert cursor.fetchall() == [], rule
        transaction.set_rollback(True)
