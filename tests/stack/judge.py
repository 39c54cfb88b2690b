"""Whether what clients were promised is what the service answers now."""

import time
from collections.abc import Iterable, Set

import httpx

from tests.stack.clients import PROMOTION, REDEMPTIONS, VOUCHER, Books, Site

WAIT_SECONDS = 60.0


def judge(site: Site, books: Books, *, is_whole: bool = False) -> str:
    """Of this chapter's promises, and of all that nobody knows; a line of what was compared.

    Args: is_whole: all promises are looked at, also those of earlier chapters.
    Raises: AssertionError: a promise was broken.
    """
    increments, timestamps, redeemers = (0, 0, 0) if is_whole else books.earlier
    with site.client() as client:
        keys = [*list(books.increments)[increments:], *books.unknown_increments]
        _check_increments(client, keys, books)
        _check_timestamps(client, books.timestamps[timestamps:])
        users = books.redeemers[redeemers:] + books.unknown_redeemers
        _check_redemptions(client, users, set(books.redeemers), redeemers)
        assert _get(client, f"/promotions/{PROMOTION}").status_code == 200
    return (
        f"{len(keys):,} counters, {len(books.timestamps) - timestamps:,} timestamps and {len(users):,} redemptions"
        " are exactly what was answered"
    )


def _get(client: httpx.Client, path: str) -> httpx.Response:
    """The answer, asked again while a store is away or the client is too fast."""
    until = time.monotonic() + WAIT_SECONDS
    while (answer := client.get(path)).status_code in (429, 502, 503) and time.monotonic() < until:
        time.sleep(0.2)
    return answer


def _check_increments(client: httpx.Client, keys: Iterable[str], promised: Books) -> None:
    """Every key is incremented once, by 3."""
    for key in keys:
        answer = _get(client, f"/counters/{key}")
        value = answer.json()["value"] if answer.status_code == 200 else 0
        allowed = {3} if key in promised.increments else {0, 3}
        assert value in allowed, f"counter {key} is {value} and not {allowed}: {answer.text}"


def _check_timestamps(client: httpx.Client, ids: Iterable[str]) -> None:
    for command_id in ids:
        answer = _get(client, f"/api/v1/timestamp/{command_id}")
        assert answer.status_code == 200, f"timestamp {command_id}: {answer.status_code} {answer.text}"


def _check_redemptions(client: httpx.Client, users: Iterable[str], promised: Set[str], earlier: int) -> None:
    """There are as many as credited wallets, each of them once; ``earlier`` ones were looked at before."""
    credited = earlier
    for user in users:
        answer = _get(client, f"/api/profiles/{user}")
        balance = answer.json()["balance"] if answer.status_code == 200 else 0
        assert balance in ((1,) if user in promised else (0, 1)), f"{user} has {balance}"
        credited += balance == 1
    remaining = _get(client, f"/api/vouchers?code={VOUCHER}").json()["remaining"]
    assert REDEMPTIONS - remaining == credited, f"{REDEMPTIONS - remaining} redemptions, {credited} credits"
