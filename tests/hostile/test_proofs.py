"""A proof of work: bound to its site, good once and for half an hour; whatever else comes is taken, and waits."""

import hashlib
import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI
from moderation.domain.proof import is_solved, parted
from moderation.services import moderate, proofs, raids, sites
from moderation.services.idempotency import Idempotency
from moderation.services.parts import Parts
from moderation.services.submit import Client, Submission, submit_comment
from moderation.storage import upkeep
from moderation.storage.db import read, write
from moderation.storage.models import IdempotencyKey

on_sqlite = pytest.mark.parametrize("app", ["sqlite"], indirect=True)
"""Where the database does not matter."""

SIGNED = f"a.{'b' * 43}"
ADDRESS = "/api/v1/sites/news/challenge"


@pytest.fixture
def asking(parts: Parts, people: Any) -> None:
    """The site asks for a small proof of everybody, and publishes at once what nothing speaks against."""
    sites.change_site(parts, CLI, "news", settings={"policy": "auto", "proof_of_work": "always", "proof_bits": 8})


def solved(challenge: str, bits: int = 8) -> str:
    return next(f"{challenge}.{number}" for number in itertools.count() if is_solved(challenge, str(number), bits))


def proof_for(parts: Parts, site: str = "news") -> str:
    asked = proofs.challenge(parts, site)
    return solved(asked["challenge"], asked["bits"])


def post(parts: Parts, proof: str | None, body: str = "A calm and useful remark.", **more: Any) -> dict[str, Any]:
    sent = Submission("a", None, None, None, "Ana", None, None, more.get("token"), body, 60_000, proof=proof)
    return submit_comment(parts, "news", sent, Client("203.0.113.7", "Mozilla/5.0"), more.get("idem"))


def said(parts: Parts, made: dict[str, Any]) -> str:
    """What the signal says of the proof; nothing where there is no such signal."""
    signals = moderate.show_comment(parts, CLI, made["id"])["signals"]
    return "".join(one["evidence"][0]["text"] for one in signals if one["name"] == "proof_of_work")


def test_is_solved_counts_zero_bits_of_sha_256() -> None:
    """That of "abc.48" begins with thirteen."""
    assert hashlib.sha256(b"abc.48").hexdigest().startswith("0006")
    assert [is_solved("abc", "48", bits) for bits in (8, 13, 14)] == [True, True, False]


OTHER_FORMS = ("", "x", "\0" * 99, "a.b.1", SIGNED, f"{SIGNED}.", f"{SIGNED}.01", f"{SIGNED}.-1", f"{SIGNED}.1\n")
TOO_MUCH = (f"{SIGNED}.{'9' * 17}", f"{SIGNED}.١", f"é{SIGNED}.1", f"{'a' * 400}{SIGNED}.1")


@pytest.mark.parametrize("proof", OTHER_FORMS + TOO_MUCH)
def test_read_proof_of_another_form_is_none(proof: str) -> None:
    assert parted(proof) is None


def test_good_proof_is_taken_and_says_nothing(parts: Parts, asking: None) -> None:
    made = post(parts, proof_for(parts))
    assert (made["state"], said(parts, made)) == ("approved", "")


def test_missing_wrong_foreign_old_or_used_proof_is_held_and_said(parts: Parts, asking: None, clock: Any) -> None:
    sites.change_site(parts, CLI, "other", settings={"proof_of_work": "always", "proof_bits": 8})
    good, old = proof_for(parts), proof_for(parts)
    assert post(parts, good, "The first of them.")["state"] == "approved"
    challenge = proof_for(parts).rpartition(".")[0]
    unsolved = next(n for n in itertools.count() if not is_solved(challenge, str(n), 8))
    cases = {
        "Came without": (None, ""),
        "does not add up": (
            proof_for(parts, "other"),
            f"{challenge}.{unsolved}",
            solved("a" * 40 + "." + "b" * 43),
            solved(parts.vault.sign("cursor", "8.99999999999.x")),
            "nonsense",
        ),
        "come with another comment": (good,),
    }
    for words, given in cases.items():
        for proof in given:
            made = post(parts, proof, f"A remark with {words}, {proof!r}.")
            assert made["state"] == "pending"
            assert words in said(parts, made)
    clock.move(minutes=30)
    late = post(parts, old, "A remark that took its time.")
    assert (late["state"], said(parts, late)) == ("pending", "Its proof of work was too old.")


def test_proof_used_by_many_at_once_counts_for_one(app: Any, parts: Parts, asking: None) -> None:
    proof = proof_for(parts)

    def send(n: int) -> str:
        with app.app_context():
            return str(post(parts, proof, f"Remark {n} of those that share one proof.")["state"])

    with ThreadPoolExecutor(4) as pool:
        states = list(pool.map(send, range(4)))
    assert states.count("approved") <= 1
    with read() as session:
        held = moderate.list_queue(parts, CLI, moderate.QueueFilter(signal="proof_of_work"))["items"]
        used = session.scalar(sa.select(sa.func.count()).where(IdempotencyKey.scope == "proof:news"))
    assert (len(held), used) == (3, 1)


def test_refused_comment_or_repeat_uses_no_proof_up(parts: Parts, asking: None) -> None:
    from moderation.errors import Forbidden

    thread = post(parts, proof_for(parts))
    proof = proof_for(parts)
    thread_id = sites.list_threads(parts, CLI, "news")["items"][0]["id"]
    sites.change_thread(parts, CLI, "news", thread_id, open=False)
    with pytest.raises(Forbidden):
        post(parts, proof, "Nobody takes this.")
    sites.change_thread(parts, CLI, "news", thread_id, open=True)
    idem = Idempotency("a-retry", b"same")
    first = post(parts, proof, "A calm remark, sent twice.", idem=idem)
    again = post(parts, proof, "A calm remark, sent twice.", idem=idem)
    assert str(first["id"]) == str(again["id"]) != str(thread["id"])
    assert said(parts, first) == ""


@on_sqlite
def test_known_reader_needs_no_proof(parts: Parts, asking: None, clock: Any) -> None:
    known = post(parts, proof_for(parts))
    clock.move(hours=25)
    made = post(parts, None, "Another remark of mine.", token=known["author_token"])
    assert (made["state"], said(parts, made)) == ("approved", "")


@on_sqlite
def test_used_proof_is_forgotten_with_its_challenge(parts: Parts, asking: None, clock: Any) -> None:
    post(parts, proof_for(parts))
    clock.move(minutes=31)
    with write() as session:
        upkeep.delete_expired(session, clock())
    with read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(IdempotencyKey)) == 0


@on_sqlite
def test_proof_for_raids_is_asked_for_in_a_raid_alone(parts: Parts, people: Any) -> None:
    sites.change_site(parts, CLI, "news", settings={"proof_of_work": "raid", "policy": "auto"})
    nothing = {"challenge": None, "bits": None, "expires_at": None}
    assert proofs.challenge(parts, "news") == nothing
    made = post(parts, None)
    assert said(parts, made) == ""
    sites.steer_raid(parts, CLI, "news", "hold")
    assert proofs.challenge(parts, "news")["bits"] == 18
    assert raids.STARTED == "site.raid_started"
    sites.change_site(parts, CLI, "news", settings={"submit_rate": "none"})
    assert "Came without" in said(parts, post(parts, None, "Another."))


@on_sqlite
def test_challenge_by_http_is_for_the_site_and_kept_by_nobody(parts: Parts, asking: None, client: Any) -> None:
    answer = client.get(ADDRESS, headers={"Origin": "https://news.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://news.example"
    assert answer.headers["Cache-Control"] == "no-store"
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}", answer.get_json()["challenge"])
    assert client.get(ADDRESS).get_json()["challenge"] != answer.get_json()["challenge"]
    stranger = client.get(ADDRESS, headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in stranger.headers
    assert client.get("/api/v1/sites/none/challenge").status_code == 404
    listed = client.get("/api/v1/sites/news/comments?thread=a").get_json()
    assert listed["proof"] is True
    assert "proof" not in client.get("/api/v1/sites/other/comments?thread=a").get_json()


@on_sqlite
@pytest.mark.parametrize("proof", ["", "x", "a" * 300, "é" * 99, "." * 300, None])
def test_proof_by_http_of_any_text_is_taken(client: Any, asking: None, people: Any, proof: Any) -> None:
    body = {"thread": {"key": "a"}, "author": {"name": "Ana"}, "body": "A remark.", "context": {"proof": proof}}
    answer = client.post("/api/v1/sites/news/comments", json=body)
    assert (answer.status_code, answer.get_json()["state"]) == (202, "pending")


@on_sqlite
@pytest.mark.parametrize("proof", [7, ["x"], {}, True, "a" * 301, "a\nb"])
def test_proof_by_http_of_another_type_is_named(client: Any, asking: None, people: Any, proof: Any) -> None:
    body = {"thread": {"key": "a"}, "author": {"name": "Ana"}, "body": "A remark.", "context": {"proof": proof}}
    answer = client.post("/api/v1/sites/news/comments", json=body)
    assert answer.status_code == 422
    assert "context.proof" in answer.get_json()["errors"]


@on_sqlite
def test_plain_form_without_script_is_taken_and_waits(client: Any, parts: Parts, asking: None) -> None:
    form = {"author": "Ana", "comment": "A calm remark.", "thread": "a"}
    answer = client.post("/sites/news/reply", data=form)
    assert answer.status_code == 200
    item = moderate.list_queue(parts, CLI, moderate.QueueFilter())["items"][0]
    assert "Came without" in said(parts, item)
    proven = client.post("/sites/news/reply", data={**form, "comment": "Another.", "proof": proof_for(parts)})
    assert proven.status_code == 200
    assert len(moderate.list_queue(parts, CLI, moderate.QueueFilter())["items"]) == 1
