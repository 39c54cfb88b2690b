"""Clients of all five apps, so that there is something to fail and to fall silent."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

import httpx

from tests.acceptance.harness import Stack

VOUCHER = "DRILL"
REGIONS = "slug,name,parent_slug\nnorth,North,\n"
PORTS = "code,name,parent_slug\nAAAAA,A,north\nBBBBB,B,north\n"
PROMOTIONS = "".join(f"{uuid4()},1.50,2030-01-01 00:00:00 +0000 UTC\n" for _ in range(50))
PRICE = {"date_from": "2026-01-01", "date_to": "2026-01-02", "origin_code": "AAAAA", "destination_code": "BBBBB"}


class Traffic:
    """Some twenty requests a second of each kind; a kind that is in ``quiet`` sends none."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stop = threading.Event()
        self.quiet: set[str] = set()
        self._threads = [
            threading.Thread(target=self._work, args=(kind, pause_seconds)) for kind, pause_seconds in KINDS.items()
        ]

    def __enter__(self) -> "Traffic":
        folder = self._stack.data_dir.parent
        for name, text in (("regions", REGIONS), ("ports", PORTS)):
            (folder / f"{name}.csv").write_text(text)
            done = self._stack.manage(f"import_{name}", str(folder / f"{name}.csv"))
            assert done.returncode == 0, done.stderr
        terms = {"code": VOUCHER, "amount": 1, "limit": 1_000_000}
        answer = httpx.post(f"{self._stack.url}/api/vouchers", json=terms, timeout=10)
        assert answer.status_code == 201, answer.text
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, kind: Callable[[httpx.Client], None], pause_seconds: float) -> None:
        with httpx.Client(base_url=self._stack.url, timeout=5) as client:
            while not self._stop.wait(pause_seconds):
                with suppress(httpx.HTTPError):  # whatever it is, Prometheus is to see it
                    if kind.__name__ not in self.quiet:
                        kind(client)


def submit_import(client: httpx.Client) -> int:
    """Its id."""
    answer = client.post("/process-csv", files={"file": ("promotions.csv", PROMOTIONS)})
    answer.raise_for_status()
    return int(answer.json()["id"])


def _increment(client: httpx.Client) -> None:
    client.post("/increment", json={"key": str(uuid4()), "value": 1})


def _append(client: httpx.Client) -> None:
    client.post("/api/v1/timestamp/2018-08-04T05:32:31Z")


def _redeem(client: httpx.Client) -> None:
    user = f"+49{random.randrange(10**10, 10**11)}"
    client.post("/api/vouchers/redeem", json={"phone_number": user, "code": VOUCHER})


def _ask(client: httpx.Client) -> None:
    client.get("/rates?date_from=2026-01-01&date_to=2026-01-02&origin=AAAAA&destination=north")
    client.post("/rates", json={**PRICE, "price": random.randrange(100, 1_000)})
    client.get(f"/promotions/{PROMOTIONS[:36]}")


def _load(client: httpx.Client) -> None:
    submit_import(client)


KINDS = {_increment: 0.05, _append: 0.05, _redeem: 0.05, _ask: 0.05, _load: 4.0}  # seconds between two requests
