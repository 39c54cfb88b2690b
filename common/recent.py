"""A dictionary that forgets: what a flood from many addresses fills must have a bound."""

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Keeps at least the last ``size`` keys that were set, and never more than twice as many.

    Forgetting is dropping an older half as a whole, so that no call takes longer than another.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, key: Key) -> Value | None:
        value = self._young.get(key)
        return self._old.get(key) if value is None else value

    def set(self, key: Key, value: Value) -> None:
        if len(self._young) >= self._size and key not in self._young:
            self._young, self._old = {}, self._young
        self._young[key] = value
