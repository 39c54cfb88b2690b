"""Threads for batches, apart by store: what hangs with one store holds up no batch of another."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from common.stores.circuits import Circuit
from gateway.endpoints.router import AnyEndpoint


def threads_by_store(endpoints: Iterable[AnyEndpoint]) -> dict[Circuit, int]:
    """One for each batcher, which runs one batch at a time, and one for a batch that was given up and still hangs."""
    batchers = Counter[Circuit]()
    for endpoint in endpoints:
        batchers.update(stores_of(endpoint))
    return {store: count + 1 for store, count in batchers.items()}


def stores_of(endpoint: AnyEndpoint) -> list[Circuit]:
    """That of its first batcher and, where it has a second one, of that."""
    if endpoint.recall:
        return [endpoint.recall.store, endpoint.store]
    return [endpoint.store, endpoint.store] if endpoint.asks_again_for else [endpoint.store]


def bulkheads(endpoints: Iterable[AnyEndpoint]) -> dict[Circuit, ThreadPoolExecutor]:
    """An executor for each store."""
    return {
        store: _started(ThreadPoolExecutor(threads, thread_name_prefix=f"batch-{store.name}"), threads)
        for store, threads in threads_by_store(endpoints).items()
    }


def _started(executor: ThreadPoolExecutor, threads: int) -> ThreadPoolExecutor:
    """With all its threads: one that cannot be started later would keep a batch, and who waits for it, for ever.

    Raises: RuntimeError: there cannot be so many.
    """
    all_run = Barrier(threads + 1)
    for _ in range(threads):
        executor.submit(all_run.wait)
    all_run.wait()
    return executor
