"""Measure what growth costs: reading, submitting and deciding with 1 k to 10 M comments in the database, over HTTP.

    python bench/growth.py [--sizes 1000,100000,1000000] [--rounds 15] [--databases sqlite,postgresql] [--short]
        [--cpu] [--keep DIR]

For each database and size ``growing.py`` makes a database: nearly all comments are decided, one of twenty waits, and
one of twelve is in one large thread. The shipped server runs on each, with one process, and is asked in turn: from the
smallest database, the larger ones, and from a bare WSGI program that sends as many bytes. What is read is another
thread each time, so that no answer is a kept one; ``kept`` is the same thread again and again. With 10,000,000 it takes
some 40 GB of disk on SQLite, and an hour.

Prints medians in milliseconds, the ratio of each to the first, and the disk that a comment takes. Exit status 0 only
where none is above 1.2. ``--short`` makes 1 k and 100 k on SQLite, with fewer rounds. ``--cpu`` measures processor time
within this process instead, for machines that others use, too; ``--keep`` keeps the databases of SQLite in a folder.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from queues import ids_waiting
from running import Grown, bare, grown, in_turn, short

GROWTH = 1.2
NOISE_MS = 0.5
"""By how much more two medians may differ, whatever their ratio."""

WAITING = 0.05
LARGE = "2026/large-1"
TEXT = "The tram by the river stops too early, and nobody at the council answers letters about it. No. "


def measure(kind: str, sizes: list[int], rounds: int, *, cpu: bool = False, keep: str = "") -> bool:
    """Measure all of it on one database; whether it is flat."""
    kept = True
    with grown(kind, sizes, WAITING, cpu=cpu, keep=keep) as services, bare() as reference:
        print(f"\n{kind}, one process; medians in ms")
        print(f"{'':<34}{''.join(f'{short(size):>9}' for size in sizes)}{'ratio':>8}{'bare':>8}{'bytes':>9}")
        for name, make, can_be_compared in (
            ("read 50 of a thread", _read_threads, True),
            ("read 50 of a thread, kept", _read_one, True),
            ("a page of the queue", _queue, True),
            ("submit", _submit, False),
            ("decide", _decide, False),
        ):
            calls = [make(one) for one in services]
            in_turn([_timed(call) for call in calls], 3)
            size = len(calls[0]()[0])
            others = [lambda size=size: reference(size)] if can_be_compared else []
            times = in_turn([*(_timed(call) for call in calls), *others], rounds)
            kept &= _print(name, times[: len(calls)], times[len(calls) :], size)
        kept &= _large_thread(services[-1], reference, rounds)
        print(f"{'bytes on disk for a comment':<34}{''.join(f'{one.bytes_each:9,.0f}' for one in services)}")
        for one in services:
            steps = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in one.made.items())
            print(f"made {one.size:,}: {steps}")
    return kept


Call = Callable[[], tuple[bytes, float]]


def _timed(call: Call) -> Callable[[], float]:
    return lambda: call()[1]


def _print(name: str, times: list[float], others: list[float], size: int) -> bool:
    ratio = max(times) / times[0]
    kept = ratio <= GROWTH or max(times) - times[0] <= NOISE_MS
    rest = f"{others[0]:8.2f}{size:9,}" if others else ""
    print(f"{name:<34}{''.join(f'{one:9.1f}' for one in times)}{ratio:8.2f}{rest}{'' if kept else '   *'}", flush=True)
    return kept


def _list_path(thread: str, *more: str, limit: int = 50) -> str:
    return f"/api/v1/sites/news/comments?{'&'.join([f'thread={quote(thread)}', f'limit={limit}', *more])}"


def _threads(one: Grown) -> Iterator[str]:
    """Threads of the site that have about as many comments in each database."""
    chosen = itertools.cycle(range(0, max(3, one.size // 60 - 40), max(1, one.size // 60 // 500)))
    return (f"2026/story-{3 * number}" for number in chosen)


def _read_threads(one: Grown) -> Call:
    threads, limits = _threads(one), itertools.cycle(range(50, 39, -1))
    return lambda: one.caller.get(_list_path(next(threads), limit=next(limits)))


def _read_one(one: Grown) -> Call:
    return lambda: one.caller.get(_list_path(LARGE))


def _queue(one: Grown) -> Call:
    return lambda: one.caller.get("/api/v1/queue?site=news&limit=10")


def _submit(one: Grown) -> Call:
    numbers = itertools.count()
    threads = _threads(one)

    def call() -> tuple[bytes, float]:
        body: dict[str, Any] = {
            "thread": {"key": next(threads)},
            "author": {"name": "Ana", "email": "ana@mail.example"},
            "body": f"{TEXT}{next(numbers)} of {one.size}",
        }
        return one.caller.call("POST", "/api/v1/sites/news/comments", body)

    return call


def _decide(one: Grown) -> Call:
    ids, actions = iter(ids_waiting(one, "newest", 40)), itertools.cycle(("approve", "reject", "spam"))

    def call() -> tuple[bytes, float]:
        return one.caller.call("POST", f"/api/v1/comments/{next(ids)}/decisions", {"action": next(actions)})

    return call


def _large_thread(one: Grown, reference: Callable[[int], float], rounds: int) -> bool:
    """Pages of the largest thread: the first, one of the middle, the last, in each order, and of further replies."""
    total = json.loads(one.caller.get(_list_path(LARGE))[0])["total"]
    print(f"a thread of {total:,} comments, of {one.size:,}")
    kept = True
    for sort in ("oldest", "newest", "top"):
        cursors = _cursors(one, sort)
        places = {"first": "", "middle": cursors[len(cursors) // 2], "last": cursors[-1]}
        paths = [_list_path(LARGE, f"sort={sort}", *([f"cursor={quote(at)}"] if at else [])) for at in places.values()]
        size = len(one.caller.get(paths[0])[0])
        # With a limit of its own, each is another answer and none a kept one.
        calls = [_fresh(one, path) for path in paths]
        *times, other = in_turn([*calls, lambda size=size: reference(size)], min(rounds, 40))
        shown = "".join(f"{name} {time:6.1f}   " for name, time in zip(places, times, strict=True))
        print(f"  {sort:<8}{shown}bare {other:.2f}", flush=True)
        kept &= max(times) <= GROWTH * times[0] + NOISE_MS
    return kept


def _fresh(one: Grown, path: str) -> Callable[[], float]:
    limits = itertools.cycle(range(50, 9, -1))
    return lambda: one.caller.get(path.replace("limit=50", f"limit={next(limits)}"))[1]


def _cursors(one: Grown, sort: str) -> list[str]:
    """The cursors of the pages of the largest thread, a hundred comments each."""
    found: list[str] = []
    path = _list_path(LARGE, f"sort={sort}").replace("limit=50", "limit=100")
    while True:
        answer = json.loads(one.caller.get(path + (f"&cursor={quote(found[-1])}" if found else ""))[0])
        if answer["next"] is None:
            return found
        found.append(answer["next"])


def main() -> None:
    """Measure all the databases asked for."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    reader.add_argument("--sizes", default="1000,100000,1000000")
    reader.add_argument("--rounds", type=int, default=15)
    reader.add_argument("--databases", default="sqlite,postgresql")
    reader.add_argument("--short", action="store_true")
    reader.add_argument("--cpu", action="store_true")
    reader.add_argument("--keep", default="")
    options = reader.parse_args()
    sizes = [1_000, 100_000] if options.short else [int(size) for size in options.sizes.split(",")]
    databases = ["sqlite"] if options.short else options.databases.split(",")
    rounds = 7 if options.short else options.rounds
    results = [measure(kind, sizes, rounds, cpu=options.cpu, keep=options.keep) for kind in databases]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
