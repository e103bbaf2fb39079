"""Raid a running service: a thousand edited copies in a minute from many addresses, with honest readers between.

    python bench/raid.py [--submissions 1000] [--seconds 60] [--addresses 400] [--databases sqlite,postgresql]

For each database a fresh service with the shipped gunicorn configuration is started in a temporary folder, behind one
trusted proxy, with a site that publishes at once what nothing speaks against and otherwise the settings it comes with
(but two minutes of quiet end a raid). A newcomer writes every three seconds, each from an address of their own; a
reader whom a moderator has approved every six; and a moderator looks at the queue: before the raid and during it.

Prints the times of honest submissions and of queue pages before and during, what became of everybody's comments, how
soon raid mode began and ended, the groups, and a decision on the largest. Exit status 0 only where every honest reader
was taken and, once raid mode was on, the known ones were published and no newcomer was; raid mode began and ended once,
each with its event; nine copies of ten are in a group of ten or more; the newcomers who wait are all among the safest,
within twice their number; and the slowest queue page took less than two seconds.
"""

import argparse
import http.client
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from console import Browser, database
from replay import Receiver, Service, line_of

from moderation.app import create_app
from moderation.domain.raid import WINDOW
from moderation.settings import read_settings
from moderation.storage import raids
from moderation.storage.db import read

SITE = "/api/v1/sites/news"
QUIET_S = 120
BEFORE_S = 30
KNOWN = 12
WORST_PAGE_MS = 2_000

CAMPAIGNS = (
    "Earn money from home every day with this simple trick that banks hate and nobody else will tell you",
    "The editor of this paper is a liar who was paid by the harbour company for every line about the ferry",
    "Join our channel tonight, thousands are already there, and tell all your friends about the great prize",
    "They want to close the library and they laugh at you while they do it, share this before it is deleted",
    "Vote for the blue list on Sunday, the others have sold the river and your children will pay for all of it",
    "I lost twenty kilos in one month without any sport and my doctor could not believe it, ask me how I did",
)
FILLERS = ("today", "friends", "really", "please", "now", "here", "again", "everybody", "seriously", "honestly")
REMARKS = (
    "I read this on the train and missed my stop.",
    "My grandmother worked there until the fifties.",
    "Does anybody know what it costs in the end?",
    "The photograph at the top is beautiful.",
    "A map would have helped those of us who live across the water.",
    "We visited with the whole class in spring.",
    "Each mayor since I can remember has promised the same.",
    "Nobody mentions the winter when it was shut for nine weeks.",
    "The timetable on the pier is still the old one.",
    "Please write more about the people and less about the budget.",
    "The engineer in the second paragraph taught me to swim.",
    "In Norway they solved this with a bell and a rope.",
    "I counted forty cyclists in ten minutes this morning.",
    "The comparison with the harbour seems unfair to me.",
    "What became of the petition from last autumn?",
    "Our choir sings there on Thursdays, come and listen.",
    "The second figure cannot be right, it would be more than the county has.",
    "Thank you for asking those who clean the place.",
    "It smells of tar when the wind comes from the east.",
    "My son says the new lamps are too bright for the bats.",
    "There is a bakery behind it that opens at five.",
    "I would rather have the old benches back.",
    "The court decided something like it two years ago.",
    "How does one apply for the open evening?",
    "They could begin by mending the gutter.",
    "Half of the village met there after the flood.",
    "A friend in the council tells me the vote was close.",
    "I disagree with the headline, but the article is careful.",
    "The tide tables in the library go back to 1871.",
    "Has anybody asked the fishermen?",
    "When it rains the whole crossing is under water.",
    "Good that somebody finally wrote it down.",
    "The noise does not bother me, the dust does.",
    "From our window one sees the scaffolding since May.",
    "I learned more from the comments than I expected.",
    "The price of a ticket has doubled since I moved here.",
)


def remark(n: int) -> str:
    """What an honest reader writes: three sentences, which no two have in common in this order."""
    chance = random.Random(n)
    return " ".join(chance.sample(REMARKS, 3))


class Crowd:
    """Everybody who writes, and what they were answered."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.lock = threading.Lock()
        self.sent: list[dict[str, Any]] = []
        self.numbers = iter(range(10**6))

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, float]:
        """Status, JSON and milliseconds of one answer, over a connection of its own."""
        connection = http.client.HTTPConnection(self.service.bind, timeout=60)
        data = json.dumps(body).encode() if body is not None else None
        headers |= {"Content-Type": "application/json"} if data else {}
        started = time.perf_counter()
        connection.request(method, path, body=data, headers=headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None, (time.perf_counter() - started) * 1000

    def post(self, who: str, body: str, address: str, token: str | None = None) -> dict[str, Any]:
        """One comment; what is known of it is kept."""
        author = {"name": who.capitalize(), "token": token}
        sent = {"thread": {"key": "night-ferry"}, "author": author, "body": body, "context": {"filled_in_ms": 60_000}}
        at = time.monotonic()
        status, answer, ms = self.call(
            "POST", f"{SITE}/comments", sent, **{"X-Forwarded-For": address, "User-Agent": f"{who} at {address}"}
        )
        kept = {"who": who, "at": at, "done": time.monotonic(), "status": status, "answer": answer, "ms": ms}
        with self.lock:
            self.sent.append(kept)
        return kept

    def newcomer(self) -> dict[str, Any]:
        """An honest reader who has never written before."""
        with self.lock:
            n = next(self.numbers)
        return self.post("newcomer", remark(n), f"203.0.{n // 250}.{n % 250 + 1}")

    def raider(self, n: int, addresses: int, chance: random.Random) -> dict[str, Any]:
        """A copy with a word more, other marks and a number."""
        words = CAMPAIGNS[n % len(CAMPAIGNS)].split()
        words.insert(chance.randrange(len(words)), chance.choice(FILLERS))
        text = f"{' '.join(words)}{chance.choice(['!', '!!', '...', ''])} {chance.randrange(1_000)}"
        at = n % addresses
        return self.post("raider", text, f"198.{18 + at // 62_500}.{at // 250 % 250}.{at % 250 + 1}")


class Rhythm(threading.Thread):
    """Does something every so many seconds, until it is told to stop."""

    def __init__(self, every_s: float, act: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.every_s, self.act, self.over = every_s, act, threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        due = time.monotonic()
        while not self.over.is_set():
            try:
                self.act()
            except Exception as error:
                self.error = error
                return
            due += self.every_s
            self.over.wait(max(0.0, due - time.monotonic()))

    def stop(self) -> None:
        self.over.set()
        self.join(60)
        if self.error:
            raise self.error


def flood(crowd: Crowd, options: argparse.Namespace) -> None:
    """The raid: so many copies, evenly over so many seconds, by eight threads."""
    begin, numbers, lock = time.monotonic(), iter(range(options.submissions)), threading.Lock()

    def work() -> None:
        chance = random.Random(threading.get_ident())
        while True:
            with lock:
                n = next(numbers, None)
            if n is None:
                return
            time.sleep(max(0.0, begin + n * options.seconds / options.submissions - time.monotonic()))
            crowd.raider(n, options.addresses, chance)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def everything(crowd: Crowd, token: str, query: str) -> Iterator[dict[str, Any]]:
    """All items of a queue."""
    cursor = ""
    while True:
        at = f"/api/v1/queue?site=news&limit=100&{query}{cursor}"
        _, page, _ = crowd.call("GET", at, Authorization=f"Bearer {token}")
        yield from page["items"]
        if not page["next"]:
            return
        cursor = f"&cursor={page['next']}"


def raid_of(service: Service) -> Any:
    """Since when the site is under a raid, as the command line tells it."""
    return service.cli("site", "show", "news", "--json")["raid_since"]


def measure(kind: str, options: argparse.Namespace) -> list[str]:
    """One database: raid it, print the figures; what was not as promised."""
    with tempfile.TemporaryDirectory(prefix="moderation-raid-") as folder, database(kind) as url:
        service, receiver = Service(Path(folder), url, options.workers), Receiver()
        service.env["MODERATION_PROXY_HOPS"] = "1"
        service.env["MODERATION_WEBHOOK_ALLOW_HTTP"] = "true"
        service.cli("init")
        service.cli("site", "add", "news", "--origin", "https://news.example", "--policy", "auto")
        service.cli("site", "set", "news", f"raid_quiet_s={QUIET_S}")
        password = service.cli("moderator", "add", "bench", "--role", "admin", "--site", "*", "--json")["password"]
        token = service.cli("token", "add", "--site", "news", "--role", "moderator", "--json")["token"]
        hook = ("webhook", "add", "--site", "news", "--url", receiver.url, "--event", "site.raid_started")
        receiver.secret = service.cli(*hook, "--event", "site.raid_ended", "--json")["secret"]
        told: dict[str, float] = {}
        receiver.RequestHandlerClass = _listener(told)  # type: ignore[assignment]
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        service.start()
        try:
            return _raid(kind, service, password, token, told, options)
        finally:
            service.stop()
            receiver.shutdown()


def _listener(told: dict[str, float]) -> Any:
    """Notes when each kind of event came; a kind that came twice counts as two kinds."""
    from http.server import BaseHTTPRequestHandler

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = event["type"].removeprefix("site.raid_")
            told[name if name not in told else f"{name} again"] = time.monotonic()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    return Listener


def _raid(
    kind: str, service: Service, password: str, token: str, told: dict[str, float], options: argparse.Namespace
) -> list[str]:
    crowd, browser = Crowd(service), Browser(service.bind)
    browser.log_in("bench", password)
    known = _make_known(crowd, token)
    pages: list[tuple[float, float]] = []
    turns = iter(range(10**6))

    def look() -> None:
        browser.connection.close()  # the server may have done so in between
        pages.append((time.monotonic(), browser.get("/console/?site=news&sort=safest")[1]))

    def speak() -> None:
        n = next(turns)
        crowd.post("known", remark(10_000 + n), f"192.0.2.{n % KNOWN}", known[n % KNOWN])

    rhythms = [Rhythm(3, crowd.newcomer), Rhythm(2, look), Rhythm(6, speak)]
    for rhythm in rhythms:
        rhythm.start()
    time.sleep(BEFORE_S)
    begin = time.monotonic()
    flood(crowd, options)
    end = time.monotonic()
    for rhythm in rhythms:
        rhythm.stop()
    look_ms = _cost_of_looking(service)
    wrong = _tell_times(kind, crowd, pages, begin, end, look_ms)
    wrong += _tell_fates(crowd, begin, told)
    wrong += _tell_groups(crowd, token)
    wrong += _tell_end(service, crowd, told)
    return wrong


def _make_known(crowd: Crowd, token: str) -> list[str]:
    """Readers with an approval by a person; their tokens."""
    made = [crowd.newcomer()["answer"] for _ in range(KNOWN)]
    for one in made:
        for action in ("reject", "approve"):
            at = f"/api/v1/comments/{one['id']}/decisions"
            status, _, _ = crowd.call("POST", at, {"action": action}, Authorization=f"Bearer {token}")
            if status not in {200, 201}:
                sys.exit(f"decision: {status}")
    crowd.sent.clear()
    return [one["author_token"] for one in made]


def _cost_of_looking(service: Service) -> float:
    """Milliseconds in which the worker reads the comments of the last minute, at the height of the raid."""
    os.environ.update({name: value for name, value in service.env.items() if name.startswith("MODERATION_")})
    if "MODERATION_DATABASE_URL" not in service.env:
        os.environ.pop("MODERATION_DATABASE_URL", None)
    app = create_app(read_settings())
    times = []
    with app.app_context():
        for _ in range(11):
            started = time.perf_counter()
            with read() as session:
                raids.arrivals_between(session, (now := app.extensions["moderation"].clock()) - WINDOW, now)
            times.append((time.perf_counter() - started) * 1000)
        app.extensions["sqlalchemy"].engine.dispose()
    return statistics.median(times)


def _tell_times(
    kind: str, crowd: Crowd, pages: list[tuple[float, float]], begin: float, end: float, look_ms: float
) -> list[str]:
    honest = [one for one in crowd.sent if one["who"] != "raider"]
    before = [one["ms"] for one in honest if one["at"] < begin]
    during = [one["ms"] for one in honest if begin <= one["at"] <= end]
    print(f"\n{kind}: {end - begin:.0f} s of raid")
    print(line_of("honest, before", before))
    print(line_of("honest, during", during))
    print(line_of("queue, before", [ms for at, ms in pages if at < begin]))
    print(line_of("queue, during", [ms for at, ms in pages if at >= begin]))
    print(f"a look             {look_ms:.1f} ms, each five seconds, by the worker", flush=True)
    worst = max(ms for _, ms in pages)
    return [f"a queue page took {worst:.0f} ms"] if worst > WORST_PAGE_MS else []


def _tell_fates(crowd: Crowd, begin: float, told: dict[str, float]) -> list[str]:
    started = told.get("started")
    if started is None:
        return ["raid mode did not begin, or told nobody"]
    print(f"raid mode          began and was told {started - begin:.1f} s after the first copy")
    wrong = []
    for who in ("newcomer", "known", "raider"):
        for when, chosen in (
            ("until then", [one for one in crowd.sent if one["who"] == who and one["done"] < started]),
            ("after it", [one for one in crowd.sent if one["who"] == who and one["at"] > started]),
        ):
            fates = Counter(one["answer"]["state"] if one["status"] == 202 else str(one["status"]) for one in chosen)
            print(f"{who:<9}{when:<10}{dict(fates)}", flush=True)
            refused = sum(count for fate, count in fates.items() if fate.isdigit())
            if who != "raider" and refused:
                wrong.append(f"{refused} of {who}: refused {when}")
            if when == "after it" and who != "known" and fates["approved"]:
                wrong.append(f"{fates['approved']} of {who}: published under a raid")
            if when == "after it" and who == "known" and fates["approved"] < 0.8 * len(chosen):
                wrong.append("known readers wait under a raid")
    return wrong


def _tell_groups(crowd: Crowd, token: str) -> list[str]:
    ids = {one["answer"]["id"]: one["who"] for one in crowd.sent if one["status"] == 202}
    items = list(everything(crowd, token, "sort=safest"))
    mine = [ids.get(item["id"], "") for item in items]
    copies = [item for item, who in zip(items, mine, strict=True) if who == "raider"]
    grouped = [item for item in copies if item["alike"]["count"] >= 9]
    newcomers = mine.count("newcomer")
    found = mine[: newcomers * 2].count("newcomer")
    print(
        f"queue              {len(items)} wait, {len(copies)} of them copies, {len(grouped)} in a group of ten or more"
    )
    print(f"safest first       {found} of {newcomers} honest newcomers who wait are among the first {newcomers * 2}")
    largest = max(copies, key=lambda item: item["alike"]["count"])
    at = f"/api/v1/comments/{largest['id']}/alike/decisions"
    status, answer, ms = crowd.call("POST", at, {"action": "spam"}, Authorization=f"Bearer {token}")
    done = sum(one["ok"] for one in answer["results"]) if status == 200 else 0
    print(f"one decision       {done} copies marked as spam in {ms:.0f} ms", flush=True)
    wrong = [] if len(grouped) >= 0.9 * len(copies) else ["copies are not in groups"]
    wrong += [] if found == newcomers else ["honest newcomers are not among the safest"]
    return wrong + ([] if done >= 10 else [f"a group was not decided: {status}"])


def _tell_end(service: Service, crowd: Crowd, told: dict[str, float]) -> list[str]:
    last = max(one["at"] for one in crowd.sent if one["who"] == "raider")
    while "ended" not in told and time.monotonic() < last + QUIET_S + 90:
        time.sleep(0.5)
    if set(told) != {"started", "ended"} or raid_of(service) is not None:
        return [f"raid mode did not begin and end once: {sorted(told)}"]
    print(f"                   ended and was told {told['ended'] - last:.0f} s after the last copy", flush=True)
    return []


def main() -> int:
    """Run it by the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--addresses", type=int, default=400)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    wrong = [f"{kind}: {what}" for kind in options.databases.split(",") for what in measure(kind, options)]
    for line in wrong:
        print(f"WRONG {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
