"""Whatever a key of the cache Valkey may hold that nobody here wrote."""

from collections.abc import Callable

from redis import Redis

from common.stores import valkey

Put = Callable[[Redis, str], object]
TEXTS = (
    b"garbage",
    b"",
    b"\xff\x00",
    b"nan",
    b"inf",
    b"-1e400",
    b"9" * 400,
    b"x",
    b"x 1",
    b"x 1 a",
    b"1 2",
    b"1 1 1 1",
)
GARBAGE: dict[str, Put] = {
    **{repr(text[:9]): lambda store, key, text=text: store.set(key, text) for text in TEXTS},  # type: ignore[misc]
    "list": lambda store, key: store.rpush(key, "x"),
    "hash": lambda store, key: store.hset(key, "x", "y"),
    "sorted set of no text": lambda store, key: store.zadd(key, {b"\xff\x00": 1, b"a\x00": 2, b"9" * 400: 3}),
    "stream": lambda store, key: store.xadd(key, {"x": "y"}),
}


def put_garbage(kind: str, *keys: str) -> None:
    """Each key exists, and holds this."""
    store = valkey.cache_store()
    for key in keys:
        store.delete(key)
        GARBAGE[kind](store, key)
