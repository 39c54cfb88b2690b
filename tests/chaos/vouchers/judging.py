"""Each function looks for breaches of one promise, and says what is wrong; nothing when it was kept."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal

from tests.chaos.vouchers.books import Books, Transfer
from tests.chaos.vouchers.crowd import Offer
from tests.chaos.vouchers.told import Told


def off_limit(wanted: Sequence[Offer], books: Books) -> list[str]:
    """Vouchers with more redemptions than their limit, or with fewer: all had more users than places."""
    counts = Counter(redemption.code for redemption in books.redemptions)
    return [
        f"{offer.code} has {counts[offer.code]} of {offer.limit}"
        for offer in wanted
        if counts[offer.code] != offer.limit
    ]


def redeemed_twice(told: Told, books: Books) -> list[str]:
    """Users who have a voucher twice, or were told so."""
    counts = Counter(redemption.wish for redemption in books.redemptions)
    return [
        f"{wish.phone_number} has {wish.code} {counts[wish]} times, was told {told.fresh[wish]} times"
        for wish in counts.keys() | told.fresh.keys()
        if counts[wish] > 1 or told.fresh[wish] > 1
    ]


def not_as_told(told: Told, books: Books) -> list[str]:
    """Redemptions that were answered and are not there, or are others."""
    ids = defaultdict(set)
    for redemption in books.redemptions:
        ids[redemption.wish].add(redemption.id)
    return [f"{wish} was told {told.ids[wish]}, has {ids[wish]}" for wish in told.ids if told.ids[wish] != ids[wish]]


def not_told(told: Told, books: Books) -> list[str]:
    """Attempts that stayed without an answer, and redemptions of which their users never heard."""
    unheard = [f"{each.wish} was not told" for each in books.redemptions if each.wish not in told.ids]
    return [f"{attempt} has no answer" for attempt in told.open] + unheard


def wrongly_refused(told: Told, books: Books) -> list[str]:
    """Users who were refused before the last place was taken, or who have one.

    No limit changes and nothing is reversed meanwhile: what is used up stays so. Both times are of one machine.
    """
    last_at: defaultdict[str, float] = defaultdict(float)
    for redemption in books.redemptions:
        last_at[redemption.code] = max(last_at[redemption.code], redemption.created_at)
    holders = {redemption.wish for redemption in books.redemptions}
    early = [
        f"{wish} refused {last_at[wish.code] - at:.3f} s before the last place was taken"
        for wish, at in told.refused_at.items()
        if at < last_at[wish.code]
    ]
    return early + [f"{wish} refused, has one" for wish in told.refused_at if wish in holders]


def miscredited(wanted: Sequence[Offer], books: Books) -> list[str]:
    """Redemptions and transfers that do not belong to each other, and balances that are not what they add up to."""
    amounts = {offer.code: offer.amount for offer in wanted}
    expected = Counter(Transfer("vouchers", each.redeemer, amounts[each.code], each.id) for each in books.redemptions)
    found = Counter(books.transfers)
    wrong = [f"not credited: {transfer}" for transfer in (expected - found).elements()]
    wrong += [f"credited for nothing: {transfer}" for transfer in (found - expected).elements()]
    due: defaultdict[str, Decimal] = defaultdict(Decimal)
    for redemption in books.redemptions:
        due[redemption.redeemer] += amounts[redemption.code]
    users = due.keys() | books.balances.keys()
    balances = {user: books.balances.get(user, Decimal(0)) for user in users}
    return wrong + [f"{user} has {balances[user]}, is due {due[user]}" for user in users if balances[user] != due[user]]
