"""Post real comments through the running service, decide on them from two moderators at once, and account for all.

    python bench/replay.py FILE.jsonl [--limit N] [--kills N] [--database-url URL] [--workers 2] [--clients 8]

Each line of FILE is ``{"submission": {...}, "label": "fine" | "unclear" | "abuse" | "spam"}``. A fresh service is
started in a temporary home folder (SQLite unless a URL is given; that database has to be empty), with a webhook
receiver beside it. With ``--kills`` all its processes are killed with SIGKILL that many times in the middle, and
started again; clients repeat what got no answer, under the same ``Idempotency-Key``.

Exit status 0 only where every accepted comment is accounted for, none was decided twice, nothing that was not
approved is public, and every event arrived once or more with a good signature. Prints counts and latencies.
"""

import argparse
import contextlib
import http.client
import http.server
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from standardwebhooks.webhooks import Webhook

ACTIONS = {"fine": "approve", "unclear": "approve", "abuse": "reject", "spam": "spam"}
STATES = {"approve": "approved", "reject": "rejected", "spam": "spam"}


class Receiver(http.server.ThreadingHTTPServer):
    """A site's webhook endpoint: verifies each delivery with the reference library and remembers it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__((address, 0), _Handler)
        self.url = f"http://{address}:{self.server_address[1]}/hook"
        self.secret = ""
        self.lock = threading.Lock()
        self.deliveries: Counter[str] = Counter()
        self.events: dict[str, set[str]] = defaultdict(set)
        self.first_seen: dict[tuple[str, str], float] = {}
        self.bad = 0


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = Webhook(self.server.secret).verify(body, dict(self.headers))
        except Exception:
            self._answer(400)
            with self.server.lock:
                self.server.bad += 1
            return
        comment_id = event["data"]["comment"]["id"]
        with self.server.lock:
            self.server.deliveries[self.headers["webhook-id"]] += 1
            self.server.events[event["type"]].add(comment_id)
            self.server.first_seen.setdefault((event["type"], comment_id), time.monotonic())
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


class Service:
    """The service under test, in its own process group."""

    def __init__(self, home: Path, database_url: str, workers: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.bind = f"127.0.0.1:{probe.getsockname()[1]}"
        self.url = f"http://{self.bind}"
        self.workers = workers
        self.log = (home / "service.log").open("ab")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("MODERATION_")}
        self.env |= {
            "MODERATION_HOME": str(home / "var"),
            "MODERATION_PUBLIC_URL": self.url,
            "MODERATION_WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8",
            "MODERATION_LOG_LEVEL": "WARNING",
        }
        if database_url:
            self.env["MODERATION_DATABASE_URL"] = database_url
        self.process: subprocess.Popen[bytes] | None = None

    def cli(self, *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "moderation", *arguments], env=self.env, capture_output=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"moderation {' '.join(arguments)}: {done.stderr.decode()}")
        return json.loads(done.stdout) if "--json" in arguments else None

    def start(self) -> None:
        command = [sys.executable, "-m", "moderation", "serve", "--bind", self.bind, "--workers", str(self.workers)]
        self.process = subprocess.Popen(command, env=self.env, stdout=self.log, stderr=self.log, start_new_session=True)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/healthz", timeout=5):
                return
            time.sleep(0.1)
        sys.exit("The service did not start; see its log.")

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def kill(self) -> None:
        """SIGKILL for every process of the service at once: no clean-up of any kind."""
        assert self.process is not None
        members = _group_members(os.getpgid(self.process.pid))
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()


def _group_members(session: int) -> list[int]:
    """All processes of a session, also those that made groups of their own."""
    members = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if os.getsid(int(folder.name)) == session:
                    members.append(int(folder.name))
            except OSError:
                continue
    return members


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    data: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.data)


class Run:
    """One replay: what was sent, answered and decided."""

    def __init__(self, service: Service, receiver: Receiver, lines: list[dict[str, Any]]) -> None:
        self.service, self.receiver, self.lines = service, receiver, lines
        self.local = threading.local()
        self.lock = threading.Lock()
        self.accepted: dict[str, int] = {}
        self.decided: dict[str, str] = {}
        self.decided_at: dict[str, float] = {}
        self.conflicts = 0
        self.repeats = 0
        self.errors: Counter[str] = Counter()
        self.post_ms: list[float] = []
        self.decide_ms: list[float] = []
        self.all_posted = threading.Event()
        self.public = "/api/v1/sites/replay/comments"

    def call(self, method: str, path: str, token: str | None = None, body: Any = None, key: str | None = None) -> Any:
        """One answer; repeats until there is one that is not 503 or a broken connection."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        data = json.dumps(body).encode() if body is not None else None
        for _ in range(600):
            try:
                answer = self._send(method, path, headers, data)
            except (OSError, http.client.HTTPException) as error:
                self.local.connection.close()
                self._again(type(error).__name__)
                continue
            if answer.status == 503:
                self._again("503")
                continue
            return answer
        sys.exit(f"No answer to {method} {path}.")

    def _send(self, method: str, path: str, headers: dict[str, str], data: bytes | None) -> "Answer":
        """One request over this thread's own connection, which is kept open."""
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection(self.service.bind, timeout=15)
        self.local.connection.request(method, path, body=data, headers=headers)
        response = self.local.connection.getresponse()
        return Answer(response.status, response.read())

    def _again(self, why: str) -> None:
        with self.lock:
            self.repeats += 1
            self.errors[why] += 1
        time.sleep(0.1)

    def post(self, number: int) -> None:
        started = time.perf_counter()
        answer = self.call("POST", self.public, body=self.lines[number]["submission"], key=f"replay-{number}")
        elapsed = (time.perf_counter() - started) * 1000
        with self.lock:
            if answer.status != 202:
                self.errors[f"submit {answer.status}"] += 1
                return
            self.accepted[answer.json()["id"]] = number
            self.post_ms.append(elapsed)

    def moderate(self, token: str) -> None:
        """Claim and decide until everything is posted and nothing waits any more."""
        while True:
            finishing = self.all_posted.is_set()
            body = {"site": "replay", "limit": 20, "minutes": 1}
            answer = self.call("POST", "/api/v1/queue/claims", token, body)
            if answer.status != 200:
                sys.exit(f"claims: {answer.status} {answer.data.decode()[:300]}")
            items = answer.json()["items"]
            for item in items:
                self.decide(token, item["id"])
            if not items:
                if finishing and not self._waiting(token):
                    return
                time.sleep(0.05)

    def _waiting(self, token: str) -> int:
        found = self.call("GET", "/api/v1/queue?site=replay&limit=1", token).json()
        return len(found["items"])

    def decide(self, token: str, comment_id: str) -> None:
        with self.lock:
            number = self.accepted.get(comment_id)
        label = self.lines[number]["label"] if number is not None else "unclear"
        order = {"action": ACTIONS[label], "expected_state": "pending"}
        started = time.perf_counter()
        answer = self.call("POST", f"/api/v1/comments/{comment_id}/decisions", token, order)
        elapsed = (time.perf_counter() - started) * 1000
        with self.lock:
            if answer.status == 409:
                # A repeat after a kill, whose first try had been carried out, or the other moderator was faster.
                self.conflicts += 1
                return
            if answer.status not in {200, 201}:
                self.errors[f"decide {answer.status}"] += 1
                return
            if comment_id in self.decided:
                self.errors["decided twice"] += 1
            self.decided[comment_id] = order["action"]
            self.decided_at[comment_id] = time.monotonic()
            self.decide_ms.append(elapsed)


def check(run: Run, admin: str, kills: int) -> list[str]:
    """Everything that is wrong; empty when all is accounted for."""
    wrong: list[str] = []
    if len(run.accepted) != len(run.lines):
        wrong.append(f"{len(run.lines) - len(run.accepted)} submissions without an accepted comment")
    public: set[str] = set()
    for key in {line["submission"]["thread"]["key"] for line in run.lines}:
        public |= _public_ids(run, key)
    by_state: Counter[str] = Counter()
    for comment_id in run.accepted:
        answer = run.call("GET", f"/api/v1/comments/{comment_id}", admin)
        if answer.status != 200:
            wrong.append(f"accepted and lost: {comment_id}")
            continue
        item = answer.json()
        by_state[item["state"]] += 1
        standing = [d for d in item["history"] if d["by_kind"] != "policy" and d["undone_at"] is None]
        if len(standing) != 1:
            wrong.append(f"{comment_id}: {len(standing)} decisions")
        if (item["state"] == "approved") is not (comment_id in public):
            wrong.append(f"{comment_id}: {item['state']}, public: {comment_id in public}")
        expected = run.decided.get(comment_id)
        if expected is not None and item["state"] != STATES[expected]:
            wrong.append(f"{comment_id}: {item['state']} after '{expected}'")
        for event in ("submitted", item["state"]):
            if comment_id not in run.receiver.events[f"comment.{event}"]:
                wrong.append(f"{comment_id}: no comment.{event} delivered")
    wrong += [f"public, and never accepted: {comment_id}" for comment_id in public - run.accepted.keys()]
    if run.receiver.bad:
        wrong.append(f"{run.receiver.bad} deliveries with a bad signature")
    wrong += [f"{count} x {what}" for what, count in run.errors.items() if not (kills and what != "decided twice")]
    print(f"states            {dict(by_state)}   public {len(public)}")
    return wrong


def _public_ids(run: Run, key: str) -> set[str]:
    found: set[str] = set()
    cursor = ""
    while True:
        query = urlencode({"thread": key, "limit": 100, **({"cursor": cursor} if cursor else {})})
        page = run.call("GET", f"{run.public}?{query}").json()
        found |= {comment["id"] for comment in page["comments"]}
        if not page["next"]:
            return found
        cursor = page["next"]


def wait_for_deliveries(run: Run, limit_s: float) -> None:
    """Until every accepted comment's events have arrived, or the time is over."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        with run.receiver.lock:
            decided = sum(len(run.receiver.events[f"comment.{state}"]) for state in set(STATES.values()))
            submitted = len(run.receiver.events["comment.submitted"])
        if submitted >= len(run.accepted) and decided >= len(run.accepted):
            return
        time.sleep(0.2)


def line_of(name: str, values: list[float], unit: str = "ms") -> str:
    """Median, 95th and 99th percentile, maximum."""
    if len(values) < 2:
        return f"{name:18}-"
    cuts = statistics.quantiles(values, n=100)
    return (
        f"{name:18}p50 {statistics.median(values):.1f}  p95 {cuts[94]:.1f}  "
        f"p99 {cuts[98]:.1f}  max {max(values):.1f} {unit}"
    )


def replay(
    service: Service, receiver: Receiver, lines: list[dict[str, Any]], tokens: list[str], kills: int, clients: int
) -> list[str]:
    """Post, decide and wait for the deliveries; prints the figures and returns what is wrong."""
    run = Run(service, receiver, lines)
    started = time.monotonic()
    moderators = [threading.Thread(target=run.moderate, args=(token,)) for token in tokens[:2]]
    for thread in moderators:
        thread.start()
    killer = threading.Thread(target=_kill_now_and_then, args=(run, kills))
    killer.start()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(run.post, range(len(lines))))
    posted_s = time.monotonic() - started
    run.all_posted.set()
    for thread in (killer, *moderators):
        thread.join()
    decided_s = time.monotonic() - started
    wait_for_deliveries(run, 120)
    delivered_s = time.monotonic() - started
    delays = [
        (receiver.first_seen[("comment.approved", comment_id)] - run.decided_at[comment_id]) * 1000
        for comment_id, action in run.decided.items()
        if action == "approve" and ("comment.approved", comment_id) in receiver.first_seen
    ]
    print(f"posted            {len(run.accepted)} of {len(lines)} in {posted_s:.1f} s, {run.repeats} repeats")
    print(f"decided           {len(run.decided)} by answer, {run.conflicts} conflicts, in {decided_s:.1f} s")
    sent = sum(receiver.deliveries.values())
    print(f"deliveries        {sent} of {len(receiver.deliveries)} events, in {delivered_s:.1f} s")
    print(line_of("submit", run.post_ms))
    print(line_of("decide", run.decide_ms))
    print(line_of("approval to hook", delays))
    return check(run, tokens[2], kills)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="only the first N lines")
    parser.add_argument("--kills", type=int, default=0, help="SIGKILL all processes N times in the middle")
    parser.add_argument("--database-url", default="")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    lines = [json.loads(line) for line in options.file.read_text(encoding="utf-8").splitlines() if line.strip()]
    lines = lines[: options.limit] if options.limit else lines
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        service = Service(Path(folder), options.database_url, options.workers)
        service.cli("init")
        service.cli("site", "add", "replay", "--origin", "https://news.example")
        service.cli("site", "set", "replay", "submit_rate=none")
        tokens = [
            service.cli("token", "add", "--site", "replay", "--role", role, "--name", role, "--json")["token"]
            for role in ("moderator", "moderator", "admin")
        ]
        hook = service.cli("webhook", "add", "--site", "replay", "--url", receiver.url, "--json")
        receiver.secret = hook["secret"]
        try:
            service.start()
            wrong = replay(service, receiver, lines, tokens, options.kills, options.clients)
        finally:
            service.stop()
        if wrong:
            print((Path(folder) / "service.log").read_text()[-3000:], file=sys.stderr)
            sys.exit("\n".join(["WRONG:", *wrong[:20], f"({len(wrong)} in all)"]))
    print("All accounted for.")


def _kill_now_and_then(run: Run, kills: int) -> None:
    """Kill and restart, spread over the run by the number of accepted comments."""
    for number in range(kills):
        goal = len(run.lines) * (number + 1) // (kills + 1)
        while len(run.accepted) < goal:
            time.sleep(0.02)
        run.service.kill()
        time.sleep(0.3)
        run.service.start()


if __name__ == "__main__":
    main()
