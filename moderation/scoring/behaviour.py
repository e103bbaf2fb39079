"""Behaviour: how a comment was sent, and what is known of its author where the author is proven."""

from dataclasses import dataclass

from moderation.domain.policy import Evidence, Forces, Signal, nothing
from moderation.domain.proof import Proof

FASTEST_FILL_MS = 2_000
"""Nobody reads a form, writes and sends in less; our own figure, the same as common form guards use."""

FASTEST_CHARS_PER_S = 30
"""Twice the speed of the fastest typists. Pasted text is faster, so this weighs little."""

BURSTS = ((30, 0.4), (15, 0.25), (8, 0.1))
"""From how many comments of one network in ten minutes on, which weight. An office or a carrier is one network."""

TRUST_PER_APPROVAL, MOST_TRUST = 0.05, 0.3
DOUBT_PER_REJECTION, DOUBT_PER_SPAM, MOST_DOUBT = 0.1, 0.3, 0.7


@dataclass(frozen=True, slots=True)
class Record:
    """What a site decided on a proven author's earlier comments. ``first_seen_days``: since the first of them."""

    approved: int = 0
    rejected: int = 0
    spam: int = 0
    first_seen_days: int = 0


def honeypot(filled: bool) -> Signal:
    """The field that people do not see was filled in: only a program does that, so it settles the matter."""
    if not filled:
        return nothing("honeypot")
    evidence = (Evidence("The hidden field, which people do not see, was filled in."),)
    return Signal("honeypot", 0.9, evidence, {"spam": 1.0}, Forces.SPAM)


def filled_too_fast(body: str, filled_in_ms: int | None) -> Signal:
    """Sent sooner than a person can write it. None: the frontend does not measure it, which says nothing."""
    name = "filled_too_fast"
    if filled_in_ms is None:
        return nothing(name)
    if filled_in_ms < FASTEST_FILL_MS:
        seconds = max(0, filled_in_ms) / 1_000
        text = f"Sent {seconds:.1f} s after the form was shown."
        weight = 0.4 if len(body) > FASTEST_CHARS_PER_S * seconds else 0.2
        return Signal(name, weight, (Evidence(text),), {"spam": weight})
    if len(body) > FASTEST_CHARS_PER_S * filled_in_ms / 1_000:
        text = f"{len(body)} characters in {filled_in_ms / 1_000:.1f} s: pasted, or sent by a program."
        return Signal(name, 0.1, (Evidence(text),), {"spam": 0.1})
    return nothing(name)


def burst(network_recent: int) -> Signal:
    """Many comments from one network (/24 or /48) in the last ten minutes."""
    for least, weight in BURSTS:
        if network_recent >= least:
            text = f"{network_recent} comments from this network in ten minutes."
            return Signal("burst", weight, (Evidence(text),), {"spam": weight})
    return nothing("burst")


def raid(unknown_in_raid: bool) -> Signal:
    """The site is under a raid and nobody known wrote this: it waits, and says nothing of the text."""
    if not unknown_in_raid:
        return nothing("raid")
    evidence = (Evidence("Came during a raid, from nobody known here."),)
    return Signal("raid", 0.0, evidence, forces=Forces.HOLD)


_PROOFS = {
    Proof.MISSING: "Came without the proof of work that the site asks for: sent without script, or by a program.",
    Proof.WRONG: "Its proof of work is none of this site's, or does not add up.",
    Proof.EXPIRED: "Its proof of work was too old.",
    Proof.USED: "Its proof of work had come with another comment before.",
}


def proof_of_work(proof: Proof | None) -> Signal:
    """A proof was asked for, and none came that counts: a person looks. A good one says nothing of the text either."""
    if proof is None or proof is Proof.GOOD:
        return nothing("proof_of_work")
    return Signal("proof_of_work", 0.0, (Evidence(_PROOFS[proof]),), forces=Forces.HOLD)


def record(known: Record | None) -> Signal:
    """The record of an author proven by a signed token; None where nobody is proven, which says nothing."""
    if known is None or not (known.approved or known.rejected or known.spam):
        return nothing("record")
    doubt = min(MOST_DOUBT, DOUBT_PER_REJECTION * known.rejected + DOUBT_PER_SPAM * known.spam)
    weight = round(doubt - min(MOST_TRUST, TRUST_PER_APPROVAL * known.approved), 4)
    text = (
        f"This author, proven by a token, has {known.approved} approved, {known.rejected} rejected and "
        f"{known.spam} spam comments here, the first {known.first_seen_days} days ago."
    )
    return Signal("record", weight, (Evidence(text),))
