"""Reading promotions, with every store there and with one of them gone."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connections
from pytest_django import DjangoAssertNumQueries, Settings
from redis import Redis

from common.errors import FloodgateError, StoreUnavailable
from common.stores import valkey
from common.stores.guarded import CACHE, READ_STORE
from promotions.serving.pointer import POINTER, pointer_key, raise_cached_pointer
from promotions.serving.selectors import find_promotions, recall_promotion_lists, recall_promotions
from promotions.types import Found, LiveVersion
from tests.garbage import GARBAGE, put_garbage
from tests.promotions import forget_everything, id_of, imported, rows, served, served_prices

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])


@pytest.fixture
def stays_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No probe closes a circuit behind the test's back."""
    monkeypatch.setattr("common.stores.circuits.Circuit._probe_until_answered", lambda circuit: None)
    yield
    CACHE.is_open = READ_STORE.is_open = False


@pytest.fixture
def dead_cache(stays_open: None) -> Iterator[None]:
    nobody = Redis.from_url("unix:///nowhere/cache.sock")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(valkey, "cache_store", lambda: nobody)
        yield


@pytest.fixture
def dead_read_store(monkeypatch: pytest.MonkeyPatch, stays_open: None) -> Iterator[list[None]]:
    """Put something in the list to let the read store die."""
    dead: list[None] = []
    connect = connections["read"].get_new_connection

    def refuse(params: dict[str, object]) -> object:
        if dead:
            raise psycopg.OperationalError("connection refused")
        return connect(params)

    monkeypatch.setattr(connections["read"], "get_new_connection", refuse)
    yield dead
    dead.clear()


def kill_read_store(dead: list[None]) -> None:
    dead.append(None)
    connections["read"].close()


def versions(found: list[Found | FloodgateError]) -> set[int]:
    return {one.version for one in found if isinstance(one, Found)}


@pytest.mark.parametrize("count", [1, 1_000])
def test_number_of_queries_does_not_grow_with_the_ids(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    imported(rows(range(1_000)))
    served(0)
    ids = [id_of(n) for n in range(1, count + 1)]
    POINTER._checked_at = float("inf")
    with django_assert_num_queries(1, using="read"):
        find_promotions(ids)
    with django_assert_num_queries(0, using="read"):
        find_promotions(ids)


def test_answers_come_in_the_order_of_the_ids_and_repeats_are_answered_again() -> None:
    imported("".join(rows([n], f"{n}.00") for n in range(1, 10)))
    wanted = [3, 99, 1, 3, 2, 99]
    expected = ["3.00", None, "1.00", "3.00", "2.00", None]
    assert served_prices(wanted) == expected
    assert served_prices(wanted) == expected


def test_nothing_is_found_before_the_first_publish() -> None:
    (found,) = find_promotions([uuid4()])
    assert found == Found(0, None)


def test_missing_id_of_the_empty_version_is_found_after_the_first_publish() -> None:
    assert served(1) is None
    imported(rows(range(10)))
    assert served(1) == "1.50"


def test_version_of_several_tables_is_read_whole(settings: Settings) -> None:
    settings.IMPORT_ROWS_PER_TABLE = 7
    import_ = imported(rows(range(100)))
    assert import_.table_count > 10
    assert served_prices(range(101)) == ["1.50"] * 100 + [None]
    borders = [UUID(int=0), UUID(int=2**128 - 1)]
    assert versions(find_promotions(borders)) == {import_.id}


def test_a_batch_is_answered_from_one_version_though_half_of_it_was_cached() -> None:
    imported(rows(range(10), "1.00"))
    served_prices(range(5))
    newer = imported(rows(range(10), "2.00"))
    ids = [id_of(n) for n in range(10)]
    assert versions(find_promotions(ids)) == {newer.id}
    assert served_prices(range(10)) == ["2.00"] * 10


def test_process_never_goes_back_to_an_earlier_epoch() -> None:
    first = imported(rows(range(10), "1.00"))
    imported(rows(range(10), "2.00"))
    assert served(1) == "2.00"
    valkey.cache_store().set(pointer_key(), f"1 {first.id} 1")
    assert served(1) == "2.00"


def test_emptied_cache_is_filled_again() -> None:
    imported(rows(range(10), "1.00"))
    assert served(1) == "1.00"
    valkey.cache_store().flushdb()
    assert served(1) == "1.00"
    assert valkey.cache_store().get(pointer_key())


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_in_the_cache_is_a_miss_and_is_replaced(kind: str) -> None:
    live = imported(rows(range(3)))
    entries = [valkey.key("promotion", live.id, id_of(n).hex) for n in range(4)]
    put_garbage(kind, pointer_key(), *(key for key in entries if kind != "b''"))  # empty stands for a missing row there
    assert served_prices(range(4)) == ["1.50"] * 3 + [None]
    assert not CACHE.is_open
    assert valkey.cache_store().get(pointer_key()) == b"1 %d 1" % live.id
    assert all(valkey.cache_store().type(key) == b"string" for key in entries)
    newer = imported(rows(range(3), "2.00"))
    put_garbage(kind, pointer_key())
    assert raise_cached_pointer(LiveVersion(2, newer.id, 1)) == LiveVersion(2, newer.id, 1)
    assert served_prices(range(3)) == ["2.00"] * 3


def test_cache_key_is_raised_before_a_process_uses_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    imported(rows(range(10)))
    forget_everything()
    live_when_raised: list[LiveVersion] = []
    monkeypatch.setattr(
        "promotions.serving.pointer.raise_cached_pointer", lambda live: live_when_raised.append(POINTER.live)
    )
    POINTER.refresh_from_store()
    assert [live.epoch for live in live_when_raised] == [0]
    assert POINTER.live.epoch == 1


def test_without_the_cache_a_new_version_is_served_all_the_same(dead_cache: None) -> None:
    imported(rows(range(10), "1.00"))
    assert served_prices([1, 99]) == ["1.00", None]
    assert CACHE.is_open


def test_reader_without_the_cache_follows_a_publish(monkeypatch: pytest.MonkeyPatch, stays_open: None) -> None:
    imported(rows(range(10), "1.00"))
    with monkeypatch.context() as patch:
        patch.setattr(CACHE, "is_open", True)
        assert served(1) == "1.00"
    imported(rows(range(10), "2.00"))
    monkeypatch.setattr(CACHE, "is_open", True)
    assert served(1) == "2.00"


def test_without_the_read_store_cached_ids_are_answered_and_others_are_not(dead_read_store: list[None]) -> None:
    imported(rows(range(10)))
    assert served_prices([1, 99]) == ["1.50", None]
    kill_read_store(dead_read_store)
    for _ in range(2):
        cached, absent, uncached = find_promotions([id_of(1), id_of(99), id_of(2)])
        assert isinstance(cached, Found)
        assert cached.body
        assert isinstance(absent, Found)
        assert absent.body is None
        assert isinstance(uncached, StoreUnavailable)
    assert READ_STORE.is_open


def test_what_is_cached_is_recalled_without_a_call_to_the_read_store(dead_read_store: list[None]) -> None:
    import_ = imported(rows(range(10)))
    assert served_prices([1, 99]) == ["1.50", None]
    kill_read_store(dead_read_store)
    cached, absent, uncached = recall_promotions([id_of(1), id_of(99), id_of(2)])
    assert (cached, absent) == tuple(find_promotions([id_of(1), id_of(99)]))
    assert uncached is None
    whole, partly = recall_promotion_lists([(id_of(1), id_of(99)), (id_of(1), id_of(2))])
    assert whole is not None
    assert (whole.version, len(whole.bodies), whole.missing) == (import_.id, 1, (id_of(99),))
    assert partly is None
    assert not READ_STORE.is_open


def test_nothing_is_recalled_of_a_version_that_the_cache_does_not_name(dead_read_store: list[None]) -> None:
    imported(rows(range(10)))
    POINTER._checked_at = float("inf")
    assert served_prices([1]) == ["1.50"]
    valkey.cache_store().delete(pointer_key())
    kill_read_store(dead_read_store)
    assert recall_promotions([id_of(1)]) == [None]


def test_nothing_is_recalled_without_the_cache(dead_cache: None) -> None:
    imported(rows(range(10)))
    assert recall_promotions([id_of(1)]) == [None]


def test_without_both_stores_nothing_is_invented(dead_read_store: list[None], dead_cache: None) -> None:
    kill_read_store(dead_read_store)
    READ_STORE.is_open = True
    with pytest.raises(StoreUnavailable):
        find_promotions([id_of(1)])
