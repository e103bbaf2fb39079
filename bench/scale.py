"""Run the service as several hosts on one PostgreSQL, load all of them at once, and account for everything.

    python bench/scale.py [--groups 1,2,4] [--workers 2] [--senders 2] [--comments 1000] [--clients 16] [--namespaces]

For each size a fresh database is made, and so many groups of web processes (gunicorn with ``--workers`` processes each)
and ``--senders`` delivery workers are started, each as a host of its own would: with nothing in common but the database
and the keys. With ``--namespaces`` (Linux, as root) each has a network namespace and an address of its own, so that
nothing can be shared by loopback or by accident. PostgreSQL is the one of the tests, reached by its socket's file.

Clients post through all groups in turn, four moderators decide through all groups at once, of which two always try to
decide on the same comments. A second site takes ten comments a minute from one network, and is sent sixty through all
groups at once. Then ``wrk``, where it is installed, reads one thread from all groups.

Prints submissions, decisions, deliveries and reads a second. Exit status 0 only where no comment was lost or decided
twice, every event arrived with a good signature, the common rate limit held, and nothing that was not approved is
public.
"""

import argparse
import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from console import database
from replay import Receiver, Run, Service, check, wait_for_deliveries

NETWORK = "10.77.0"
BRIDGE = "mod-scale"
RATE = 10
FLOOD = 60
READ_S = 5
LABELS = ("fine", "fine", "fine", "unclear", "abuse", "spam")
NOUNS = ("harbour", "council", "ferry", "garden", "bridge", "school", "market", "river", "tram", "budget")


class Hosts(Service):
    """Groups of web processes and workers. ``bind`` is another group's address each time that it is asked."""

    def __init__(self, home: Path, database_url: str, options: argparse.Namespace, groups: int) -> None:
        super().__init__(home, database_url, options.workers)
        self.senders, self.namespaces = options.senders, options.namespaces
        port = int(self.bind.rpartition(":")[2])
        self.binds = [f"{NETWORK}.{n + 2}:8080" if self.namespaces else f"127.0.0.1:{port + n}" for n in range(groups)]
        self.turns = itertools.cycle(self.binds)
        self.env["MODERATION_WEBHOOK_ALLOW_NETWORKS"] = f"127.0.0.0/8,{NETWORK}.0/24"
        self.processes: list[subprocess.Popen[bytes]] = []

    def __getattribute__(self, name: str) -> Any:
        if name == "bind" and "turns" in self.__dict__:
            return next(self.turns)
        return super().__getattribute__(name)

    def start(self) -> None:
        """Start all of them and wait until each group answers."""
        for number, bind in enumerate(self.binds):
            self._spawn(number, "serve", "--bind", bind, "--workers", str(self.workers), "--no-worker")
        for number in range(self.senders):
            self._spawn(len(self.binds) + number, "worker")
        for bind in self.binds:
            self._await(bind)

    def _spawn(self, number: int, *arguments: str) -> None:
        inside = ["ip", "netns", "exec", f"{BRIDGE}-{number}"] if self.namespaces else []
        command = [*inside, sys.executable, "-m", "moderation", *arguments]
        self.processes.append(
            subprocess.Popen(command, env=self.env, stdout=self.log, stderr=self.log, start_new_session=True)
        )

    def _await(self, bind: str) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{bind}/healthz", timeout=5):
                return
            time.sleep(0.1)
        sys.exit("A group did not start.")

    def stop(self) -> None:
        """Stop all of them."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(40)


@contextlib.contextmanager
def network(count: int, *, is_wanted: bool) -> Iterator[str]:
    """Namespaces on a bridge, one for each host; the address at which they reach this process."""
    if not is_wanted:
        yield "127.0.0.1"
        return

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    ip("link", "add", BRIDGE, "type", "bridge")
    try:
        ip("addr", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for number in range(count):
            name, outer, inner = f"{BRIDGE}-{number}", f"msc{number}", f"msi{number}"
            ip("netns", "add", name)
            ip("link", "add", outer, "type", "veth", "peer", "name", inner)
            ip("link", "set", outer, "master", BRIDGE, "up")
            ip("link", "set", inner, "netns", name)
            ip("-n", name, "addr", "add", f"{NETWORK}.{number + 2}/24", "dev", inner)
            ip("-n", name, "link", "set", inner, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield f"{NETWORK}.1"
    finally:
        for number in range(count):
            subprocess.run(["ip", "netns", "del", f"{BRIDGE}-{number}"], check=False, stderr=subprocess.DEVNULL)
        ip("link", "del", BRIDGE)


def made_up(count: int) -> list[dict[str, Any]]:
    """Lines as ``replay.py`` reads them."""
    chance = random.Random(7)
    return [
        {
            "label": chance.choice(LABELS),
            "submission": {
                "thread": {"key": f"story-{chance.randrange(20)}", "title": "A story"},
                "author": {"name": f"Reader {chance.randrange(400)}"},
                "body": f"The {' and the '.join(chance.sample(NOUNS, 4))} need new money, says No. {number * 7919}.",
            },
        }
        for number in range(count)
    ]


class Load(Run):
    """The same, with moderators of whom two always want the same comments."""

    def together(self, token: str, other: str) -> None:
        """Two decide on each comment at the same time until nothing waits."""
        with ThreadPoolExecutor(2) as pair:
            while True:
                finishing = self.all_posted.is_set()
                items = self.call("GET", "/api/v1/queue?site=replay&limit=20&sort=newest", token).json()["items"]
                for item in items:
                    list(pair.map(self.decide, (token, other), (item["id"], item["id"])))
                if not items:
                    if finishing:
                        return
                    time.sleep(0.05)


def flood(run: Run) -> list[str]:
    """Send more than the limit of one site through all groups at once; what was wrong with the answers."""

    def post(number: int) -> int:
        body = {"thread": {"key": "one"}, "author": {"name": "A"}, "body": f"A remark on matter {number * 7919}."}
        return int(run.call("POST", "/api/v1/sites/limited/comments", body=body, key=f"flood-{number}").status)

    if (second := time.time() % 60) > 45:
        time.sleep(60 - second)  # so that one window of the limit sees all of it
    started = int(time.time() // 60)
    with ThreadPoolExecutor(12) as pool:
        answers = Counter(pool.map(post, range(FLOOD)))
    windows = int(time.time() // 60) - started + 1
    print(
        f"common limit      {answers[202]} accepted, {answers[429]} refused of {FLOOD}; {RATE}/minute, {windows} begun"
    )
    if not (RATE <= answers[202] <= RATE * windows and answers[202] + answers[429] == FLOOD):
        return [f"the common rate limit let {dict(answers)} through"]
    return []


def read(hosts: Hosts) -> None:
    """Requests a second for one thread from all groups together, by ``wrk``."""
    if shutil.which("wrk") is None:
        print("reads             wrk is not installed")
        return
    path = "/api/v1/sites/replay/comments?thread=story-1&limit=50"
    running = [
        subprocess.Popen(
            ["wrk", "-t1", "-c8", f"-d{READ_S}s", f"http://{bind}{path}"], stdout=subprocess.PIPE, text=True
        )
        for bind in hosts.binds
    ]
    rates = []
    for one in running:
        text = one.communicate()[0]
        rates.append(float(text.partition("Requests/sec:")[2].split()[0]))
    print(f"reads             {sum(rates):.0f} /s")


def load(hosts: Hosts, receiver: Receiver, lines: list[dict[str, Any]], tokens: list[str], clients: int) -> list[str]:
    """Post, decide, deliver; prints the figures and returns what is wrong."""
    run = Load(hosts, receiver, lines)
    started = time.monotonic()
    moderators = [
        threading.Thread(target=run.moderate, args=(tokens[0],)),
        threading.Thread(target=run.moderate, args=(tokens[1],)),
        threading.Thread(target=run.together, args=(tokens[2], tokens[3])),
    ]
    for thread in moderators:
        thread.start()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(run.post, range(len(lines))))
    posted_s = time.monotonic() - started
    run.all_posted.set()
    for thread in moderators:
        thread.join()
    decided_s = time.monotonic() - started
    wait_for_deliveries(run, 120)
    delivered_s = time.monotonic() - started
    sent = sum(receiver.deliveries.values())
    print(f"posted            {len(run.accepted) / posted_s:.0f} /s beside the moderators")
    print(f"decided           {len(run.decided) / decided_s:.0f} /s, {run.conflicts} tries came too late (409)")
    print(f"deliveries        {sent} of {len(receiver.deliveries)} events, {sent / delivered_s:.0f} /s")
    repeats = run.errors.pop("RemoteDisconnected", 0)
    print(f"repeated          {repeats}, where a group closed a connection that had been idle")
    wrong = check(run, tokens[-1], kills=0)
    wrong += flood(run)
    read(hosts)
    return wrong


def measure(groups: int, options: argparse.Namespace) -> list[str]:
    """One size; what is wrong."""
    print(f"\n{groups} x {options.workers} web processes, {options.senders} delivery workers")
    with (
        tempfile.TemporaryDirectory(prefix="scale-") as folder,
        database("postgresql") as url,
        network(groups + options.senders, is_wanted=options.namespaces) as address,
    ):
        receiver = Receiver(address)
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        hosts = Hosts(Path(folder), url, options, groups)
        hosts.cli("init")
        for site, rate in (("replay", "none"), ("limited", f"{RATE}/minute")):
            hosts.cli("site", "add", site, "--origin", "https://news.example")
            hosts.cli("site", "set", site, f"submit_rate={rate}")
        tokens = [
            hosts.cli("token", "add", "--site", "replay", "--role", role, "--name", f"{role} {number}", "--json")[
                "token"
            ]
            for number, role in enumerate(("moderator", "moderator", "moderator", "moderator", "admin"))
        ]
        receiver.secret = hosts.cli("webhook", "add", "--site", "replay", "--url", receiver.url, "--json")["secret"]
        try:
            hosts.start()
            wrong = load(hosts, receiver, made_up(options.comments), tokens, options.clients)
            if wrong:
                print((Path(folder) / "service.log").read_text()[-3000:], file=sys.stderr)
        finally:
            hosts.stop()
            receiver.shutdown()
    return wrong


def main() -> None:
    """Measure all sizes; exit status 1 where anything is not accounted for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--groups", default="1,2,4")
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--senders", type=int, default=2)
    asked.add_argument("--comments", type=int, default=1_000)
    asked.add_argument("--clients", type=int, default=16)
    asked.add_argument("--namespaces", action="store_true")
    options = asked.parse_args()
    if options.namespaces and os.getuid() != 0:
        sys.exit("--namespaces needs root.")
    wrong = [what for groups in options.groups.split(",") for what in measure(int(groups), options)]
    if wrong:
        sys.exit("\n".join(["WRONG:", *wrong[:20], f"({len(wrong)} in all)"]))
    print("\nAll accounted for.")


if __name__ == "__main__":
    main()
