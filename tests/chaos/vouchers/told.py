"""What users were told of their wishes."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal

from tests.chaos.connection import Answer
from tests.chaos.vouchers.crowd import Attempt, Offer, Wish

# Problems after which the same request is sent again; what it did is unknown.
TRY_AGAIN = {(503, "store-unavailable"), (503, "overloaded"), (409, "idempotency-key-in-use")}


class Told:
    """Attributes:
    ids: of the redemptions that users were told they have, by wish; more than one is wrong.
    refused_at: when a wish was first told that the voucher is unavailable, in seconds of the epoch.
    fresh: answers of success to requests without Idempotency-Key; more than one for a wish is wrong.
    open: attempts that have no answer.
    unknown: answers that left the effect open, and broken connections.
    strange: answers that the contract does not name.
    """

    def __init__(self, wanted: Sequence[Offer]) -> None:
        self._amounts = {offer.code: offer.amount for offer in wanted}
        self.ids: defaultdict[Wish, set[str]] = defaultdict(set)
        self.refused_at: dict[Wish, float] = {}
        self.fresh: Counter[Wish] = Counter()
        self.open: list[Attempt] = []
        self.unknown = 0
        self.strange: list[str] = []

    def note(self, attempt: Attempt, answer: Answer, at: float) -> bool:
        """Whether the answer is the last: nobody need ask again."""
        content = answer.content()
        outcome = (answer.status, content.get("code", ""))
        if outcome in TRY_AGAIN:
            self.unknown += 1
            return False
        if outcome == (200, ""):
            self.fresh[attempt.wish] += not attempt.idempotency_key
            self._note_redemption(attempt.wish, content)
        elif outcome == (409, "already-redeemed"):
            self._note_redemption(attempt.wish, content["redemption"])
        elif outcome == (404, "voucher-unavailable"):
            self.refused_at.setdefault(attempt.wish, at)
        else:
            self.strange.append(f"{answer.status} {answer.body[:200]!r}")
        return True

    def _note_redemption(self, wish: Wish, told: dict[str, object]) -> None:
        expected = {"redeemer": wish.phone_number, "voucher_code": wish.code, "state": "credited"}
        amount = Decimal(str(told["amount"]))
        if amount != self._amounts[wish.code] or any(told[name] != value for name, value in expected.items()):
            self.strange.append(f"{wish} is told {told}")
        self.ids[wish].add(str(told["id"]))
