"""Measure the queue's lists and decisions over HTTP, with 10 k, 100 k and 1 M comments waiting.

    python bench/queues.py [--sizes 10000,100000,1000000] [--rounds 7] [--databases sqlite,postgresql] [--short]
        [--cpu] [--keep DIR]

For each database and size ``growing.py`` makes a database in which all comments wait, on three sites, and the shipped
server runs on it, with one process. Then for every filter of the API, in every order, the first page of 100 and the
next one are asked for in turn: from the smallest, the larger ones, and from a bare WSGI program that sends as many
bytes. PostgreSQL is the one of the tests, with its own durability switched on.

Prints medians in milliseconds, and the ratio of the largest to the smallest. Exit status 0 only where a page takes at
most 15 ms, a decision 5 ms, a bulk decision on 500 comments 250 ms, and the largest 1.3 times the smallest. ``--short``
makes 10 k and 100 k on SQLite, with fewer rounds. ``--cpu`` measures processor time within this process instead, for
machines that others use, too; ``--keep`` keeps the databases of SQLite in a folder, for another time.
"""

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from running import Grown, bare, grown, in_turn, short

PAGE_MS, DECISION_MS, BULK_MS, GROWTH = 15.0, 5.0, 250.0, 1.3
BULK = 500
SORTS = ("oldest", "newest", "risk")
NOISE_MS = 1.0
"""By how much more two medians may differ, whatever their ratio."""


def filters(one: Grown) -> dict[str, dict[str, str]]:
    """What is asked of a queue of one size."""
    oldest = _time_of(one, "oldest")
    newest = _time_of(one, "newest")
    middle, late = oldest + (newest - oldest) / 2, newest - (newest - oldest) / 100
    return {
        "all sites": {},
        "one site": {"site": "news"},
        "q, frequent": {"q": "harbour"},
        "q, one comment": {"q": "quokka 0"},
        "q, one in 20,000": {"q": "quokka"},
        "q, nothing": {"q": "thermostatic"},
        "q, two letters": {"q": "oo"},
        "author": {"author": "Reader 17"},
        "author, nobody": {"author": "Nobody at all"},
        "signal": {"signal": "profanity"},
        "signal, nothing": {"signal": "unheard of"},
        "min_risk 0.5": {"min_risk": "0.5"},
        "min_risk 0.99": {"min_risk": "0.99"},
        "thread": {"thread": "2026/story-33"},
        "reported": {"reported": "true"},
        "not reported": {"reported": "false"},
        "claimed by me": {"claimed": "me"},
        "claimed by others": {"claimed": "others"},
        "claimed by nobody": {"claimed": "none"},
        "before the middle": {"before": _written(middle)},
        "after the middle": {"after": _written(middle)},
        "of the last hundredth": {"after": _written(late)},
        "site, q, min_risk": {"site": "news", "q": "bridge", "min_risk": "0.3"},
    }


def _time_of(one: Grown, sort: str) -> datetime:
    items = json.loads(one.caller.get(f"/api/v1/queue?limit=1&sort={sort}")[0])["items"]
    return datetime.fromisoformat(items[0]["created_at"])


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Table:
    """What was measured, line by line."""

    def __init__(self, kind: str, sizes: list[int]) -> None:
        self.kept = True
        print(f"\n{kind}, one process; medians in ms")
        heads = "".join(f"{short(size):>9}" for size in sizes)
        print(f"{'':<36}{heads}{'ratio':>8}{'bare':>8}{'bytes':>10}", flush=True)

    def add(self, name: str, times: list[float], most: float, reference: float | None = None, size: int = 0) -> None:
        """One line; ``most``: what each of the times may be."""
        ratio = times[-1] / times[0]
        flat = ratio <= GROWTH or times[-1] - times[0] <= NOISE_MS
        kept = flat and max(times) <= most
        self.kept &= kept
        shown = "".join(f"{one:9.1f}" for one in times)
        rest = "" if reference is None else f"{reference:8.2f}{size:10,}"
        print(f"{name:<36}{shown}{ratio:8.2f}{rest}{'' if kept else '   *'}", flush=True)


def measure(kind: str, sizes: list[int], rounds: int, *, cpu: bool = False, keep: str = "") -> bool:
    """Measure all of it on one database; whether the promises were kept."""
    with grown(kind, sizes, waiting=1.0, cpu=cpu, keep=keep) as services, bare() as reference:
        for one in services:
            steps = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in one.made.items())
            print(f"{kind}: {one.size:,} comments, {one.bytes_each:,.0f} bytes each on disk; {steps}", file=sys.stderr)
        asked = [filters(one) for one in services]
        table = Table(kind, sizes)
        for name in asked[0]:
            for sort in SORTS:
                paths = [_path(**of_size[name], sort=sort) for of_size in asked]
                _pages(table, f"{name}, {sort}", services, paths, reference, rounds)
        _decisions(table, services, rounds)
        return table.kept


def _path(**query: str) -> str:
    return "/api/v1/queue?" + urlencode({"limit": "100", **query}, quote_via=quote)


def _pages(
    table: Table, name: str, services: list[Grown], paths: list[str], reference: Callable[[int], float], rounds: int
) -> None:
    firsts = [one.caller.get(path)[0] for one, path in zip(services, paths, strict=True)]
    for which in ("first", "next"):
        if which == "next":
            cursors = [json.loads(first)["next"] for first in firsts]
            if None in cursors:
                return
            paths = [f"{path}&cursor={quote(cursor)}" for path, cursor in zip(paths, cursors, strict=True)]
        size = len(services[0].caller.get(paths[0])[0])
        calls: list[Any] = [_get(one, path) for one, path in zip(services, paths, strict=True)]
        *times, other = in_turn([*calls, lambda size=size: reference(size)], rounds)
        table.add(
            name if which == "first" else f"  the next page ({name.rpartition(', ')[2]})", times, PAGE_MS, other, size
        )


def _get(one: Grown, path: str) -> Callable[[], float]:
    return lambda: one.caller.get(path)[1]


def _decisions(table: Table, services: list[Grown], rounds: int) -> None:
    for name, sort in (("decision", "oldest"), ("decision on the riskiest", "risk")):
        ids = [iter(ids_waiting(one, sort, 100)) for one in services]
        calls = [_decide(one, own) for one, own in zip(services, ids, strict=True)]
        in_turn(calls, 2)
        table.add(name, in_turn(calls, min(3 * rounds, 90)), DECISION_MS)
    bulk = [_bulk(one) for one in services]
    table.add(f"bulk decision on {BULK}", in_turn(bulk, min(rounds, 5)), BULK_MS)


def ids_waiting(one: Grown, sort: str, count: int) -> list[str]:
    """The ids of the first comments of the queue of all sites."""
    found: list[str] = []
    cursor = ""
    while len(found) < count:
        page = json.loads(one.caller.get(_path(sort=sort) + cursor)[0])
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={quote(page['next'])}"
    return found[:count]


def _decide(one: Grown, ids: Any) -> Callable[[], float]:
    actions = iter(("approve", "reject", "spam") * 100)

    def call() -> float:
        body = {"action": next(actions), "expected_state": "pending"}
        return one.caller.call("POST", f"/api/v1/comments/{next(ids)}/decisions", body)[1]

    return call


def _bulk(one: Grown) -> Callable[[], float]:
    actions = iter(("approve", "spam") * 10)

    def call() -> float:
        ids = ids_waiting(one, "newest", BULK)
        return one.caller.call("POST", "/api/v1/decisions", {"ids": ids, "action": next(actions)})[1]

    return call


def main() -> None:
    """Measure all the databases asked for."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    reader.add_argument("--sizes", default="10000,100000,1000000")
    reader.add_argument("--rounds", type=int, default=7)
    reader.add_argument("--databases", default="sqlite,postgresql")
    reader.add_argument("--short", action="store_true")
    reader.add_argument("--cpu", action="store_true")
    reader.add_argument("--keep", default="")
    options = reader.parse_args()
    sizes = [10_000, 100_000] if options.short else [int(size) for size in options.sizes.split(",")]
    databases = ["sqlite"] if options.short else options.databases.split(",")
    rounds = 3 if options.short else options.rounds
    results = [measure(kind, sizes, rounds, cpu=options.cpu, keep=options.keep) for kind in databases]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
