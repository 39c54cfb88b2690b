"""Clients of all that is written, over TLS and through the proxy, who know what they were promised."""

import secrets
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import httpx

from tests.chaos.counters.ledger import EFFECT_UNKNOWN

URL = "https://localhost"
PAUSE_SECONDS = 0.02
PROMOTION = "d018ef0b-dbd9-48f1-ac1a-eb4d90e57118"
VOUCHER = "STACK"
REDEMPTIONS = 100_000  # of the voucher; more than a run has time for


@dataclass
class Books:
    """What clients know: acknowledged is there for good, unknown may be, anything else is not."""

    increments: Counter[str] = field(default_factory=Counter)
    unknown_increments: Counter[str] = field(default_factory=Counter)
    timestamps: list[str] = field(default_factory=list)
    redeemers: list[str] = field(default_factory=list)
    unknown_redeemers: list[str] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    last_success: dict[str, float] = field(default_factory=dict)
    gaps: Counter[str] = field(default_factory=Counter)
    earlier: tuple[int, int, int] = (0, 0, 0)  # increments, timestamps and redeemers before this chapter

    def note(self, kind: str, outcome: str) -> None:
        """``outcome`` is "" for a success. A kind's gap is the longest time between two of them, in milliseconds."""
        if outcome:
            self.failed[f"{kind} {outcome}"] += 1
            return
        now = time.monotonic()
        gap = (now - self.last_success.get(kind, now)) * 1_000
        self.gaps[kind] = max(self.gaps[kind], int(gap))
        self.last_success[kind] = now
        self.answered[kind] += 1

    def snapshot(self) -> "Books":
        """As they are now, while clients go on."""
        return replace(
            self,
            increments=self.increments.copy(),
            unknown_increments=self.unknown_increments.copy(),
            timestamps=self.timestamps.copy(),
            redeemers=self.redeemers.copy(),
            unknown_redeemers=self.unknown_redeemers.copy(),
        )

    def restored_to(self, before: "Books") -> "Books":
        """After a restore to when the books were ``before`` or a moment later: nobody knows of what came then."""
        restored = before.snapshot()
        restored.unknown_increments |= self.increments - before.increments
        restored.unknown_increments |= self.unknown_increments
        restored.unknown_redeemers += self.redeemers[len(before.redeemers) :]
        restored.unknown_redeemers += self.unknown_redeemers[len(before.unknown_redeemers) :]
        return restored

    def begin_chapter(self) -> None:
        """Count answers, failures and gaps anew; what was promised stays."""
        self.answered, self.failed, self.gaps, self.last_success = Counter(), Counter(), Counter(), {}
        self.earlier = (len(self.increments), len(self.timestamps), len(self.redeemers))

    def __str__(self) -> str:
        failed = f"failed: {dict(self.failed)}" if self.failed else "0 failed"
        gap = max(self.gaps.values(), default=0)
        return f"{self.answered.total():,} requests answered, {failed}, longest gap {gap} ms"


class Site:
    """The service as a client with a key sees it."""

    def __init__(self, key: str, authority: Path) -> None:
        self._trust = ssl.create_default_context(cafile=str(authority))
        self._headers = {"Authorization": f"Bearer {key}"}

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=URL, verify=self._trust, headers=self._headers, timeout=10)


@contextmanager
def load(site: Site, books: Books) -> Iterator[None]:
    """Four kinds of clients work while the block runs; what they do not understand is raised at its end."""
    stop = threading.Event()
    books.begin_chapter()
    kinds = (_increment, _increment, _append, _redeem, _read)
    with ThreadPoolExecutor(len(kinds)) as pool:
        work = [pool.submit(_work, kind, site, books, stop) for kind in kinds]
        try:
            yield
        finally:
            stop.set()
    for done in work:
        done.result()


def _work(kind: Callable[[httpx.Client, Books], None], site: Site, books: Books, stop: threading.Event) -> None:
    with site.client() as client:
        while not stop.wait(PAUSE_SECONDS):
            kind(client, books)


def _ask(client: httpx.Client, method: str, path: str, content: object = None) -> tuple[str, httpx.Response | None]:
    """What went wrong, in a word, and the answer. ``unknown`` when nobody knows whether it was done.

    Raises AssertionError: an answer that no fault explains.
    """
    try:
        answer = client.request(method, path, json=content)
    except httpx.HTTPError as error:
        return f"unknown {type(error).__name__}", None
    if answer.is_success:
        return "", answer
    if answer.status_code == 502 or not answer.headers["content-type"].startswith("application/problem+json"):
        return f"unknown {answer.status_code}", answer
    code = answer.json()["code"]
    assert answer.status_code in (429, 503), f"{method} {path}: {answer.status_code} {answer.text}"
    return (f"unknown {code}" if code == EFFECT_UNKNOWN else code), answer


def _increment(client: httpx.Client, books: Books) -> None:
    key = str(uuid4())
    outcome, _ = _ask(client, "POST", "/increment", {"key": key, "value": 3})
    books.note("increment", outcome)
    if not outcome:
        books.increments[key] += 3
    elif outcome.startswith("unknown"):
        books.unknown_increments[key] += 3


def _append(client: httpx.Client, books: Books) -> None:
    outcome, answer = _ask(client, "POST", "/api/v1/timestamp/2018-08-04T05:32:31Z")
    books.note("append", outcome)
    if not outcome and answer:
        books.timestamps.append(answer.json()["id"])


def _redeem(client: httpx.Client, books: Books) -> None:
    user = f"+49{secrets.randbelow(10**9) + 10**10}"
    outcome, _ = _ask(client, "POST", "/api/vouchers/redeem", {"phone_number": user, "code": VOUCHER})
    books.note("redeem", outcome)
    if not outcome:
        books.redeemers.append(user)
    elif outcome.startswith("unknown"):
        books.unknown_redeemers.append(user)


def _read(client: httpx.Client, books: Books) -> None:
    outcome, _ = _ask(client, "GET", f"/promotions/{PROMOTION}")
    books.note("read", outcome)
