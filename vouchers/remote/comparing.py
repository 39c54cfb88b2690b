"""Whether another deployment's wallet has what this one knows of it, asked over REST; ``reconciling.py`` does the rest.

Bounded to the newest redemptions, so that it ends: docs/vouchers.md says how all of them are compared. It writes
nothing on either side, and may run while vouchers are redeemed.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vouchers.models import OrderState, Redemption, WalletOrder
from vouchers.types import OrderedTransfer
from vouchers.wallet.reconciling import EXAMPLES, Discrepancy
from vouchers.wallet.remotewallet import read_transfers

COMPARED = 100_000
PAGE = 1_000  # redemptions in a request; at most orders.ORDERS_MAX


class Comparison(NamedTuple):
    """Attributes: compared: redemptions that the wallet was asked for; found: at most EXAMPLES, the newest first."""

    compared: int
    found: list[Discrepancy]


def compare_with_wallet() -> Comparison:
    """The newest COMPARED redemptions against the wallet's transfers. Raises WalletUnavailable, DatabaseError."""
    compared, found = 0, list[Discrepancy]()
    for page in _pages():
        found += _differences(page)
        compared += len(page)
        if len(found) >= EXAMPLES:
            break
    return Comparison(compared, found[:EXAMPLES])


def _pages() -> Iterator[list[Redemption]]:
    """The newest first, without those whose wallet is here."""
    rows = Redemption.objects.order_by("-id")
    for _ in range(0, COMPARED, PAGE):
        page = list(rows[:PAGE])
        # A credit's message has the id of its redemption.
        ordered = set(WalletOrder.objects.filter(pk__in=[row.id for row in page]).values_list("pk", flat=True))
        if ordered:
            yield [row for row in page if row.id in ordered]
        if len(page) < PAGE:
            return
        rows = rows.filter(id__lt=page[-1].id)


def _differences(page: Sequence[Redemption]) -> list[Discrepancy]:
    """A message is here before the wallet has its transfer, and is applied after; so what is known is read twice."""
    before = _known(page)
    there = set(read_transfers([row.id for row in page]))
    possible = _known(page).keys()
    missing = {transfer for transfer, state in before.items() if state == OrderState.APPLIED} - there
    return [Discrepancy("wallet_has_the_transfer", _line(transfer)) for transfer in sorted(missing)] + [
        Discrepancy("wallet_has_no_other_transfer", _line(transfer)) for transfer in sorted(there - possible)
    ]


def _known(page: Sequence[Redemption]) -> dict[OrderedTransfer, str]:
    """Transfers that the wallet has or may have, with the states of their messages."""
    redemptions = {row.id: row for row in page}
    orders = WalletOrder.objects.filter(redemption__in=redemptions).exclude(state=OrderState.REFUSED)
    return {
        OrderedTransfer(id_, kind, redemptions[id_].redeemer, redemptions[id_].amount): state
        for id_, kind, state in orders.values_list("redemption_id", "kind", "state")
    }


def _line(transfer: OrderedTransfer) -> str:
    return f"redemption {transfer.redemption_id}: {transfer.kind} of {transfer.amount} for {transfer.phone_number}"
