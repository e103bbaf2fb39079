"""Finished things kept in memory, the latest used ones, within a number of bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """The latest used values by their keys, up to ``limit`` bytes as ``cost`` counts them. For all threads."""

    def __init__(self, limit: int, cost: Callable[[V], int]) -> None:
        self._limit = limit
        self._cost = cost
        self._size = 0
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value, if it is still here."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def keep(self, key: K, value: V) -> None:
        """Keep a value, in place of those that were not asked for the longest. One beyond the limit is not kept."""
        with self._lock:
            self._drop(key)
            if self._cost(value) > self._limit:
                return
            self._values[key] = value
            self._size += self._cost(value)
            while self._size > self._limit:
                self._size -= self._cost(self._values.popitem(last=False)[1])

    def __len__(self) -> int:
        return len(self._values)

    def _drop(self, key: K) -> None:
        value = self._values.pop(key, None)
        if value is not None:
            self._size -= self._cost(value)
