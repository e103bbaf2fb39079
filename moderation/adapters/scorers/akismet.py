"""``akismet``: servers that speak Akismet's REST protocol 1.1 (``comment-check``).

The protocol asks for the reader's address, name and e-mail. Of these, only what the options ``send_network`` and
``send_name`` allow goes out: else the address is ``0.0.0.0`` and there is no name. The e-mail address is never sent.
"""

from datetime import datetime
from urllib.parse import urlencode

from moderation.adapters.safe_http import Answer
from moderation.adapters.scorers import reading
from moderation.adapters.scorers.reading import Request
from moderation.domain.scorer import Opinion, Question, Scorer
from moderation.errors import ScorerUnavailable

NOWHERE = "0.0.0.0"  # noqa: S104 (what stands for an address that is not sent)
MAX_RECHECK_S = 3_600


def request(scorer: Scorer, secret: str, question: Question, _now: datetime) -> Request:
    """A form. ``blog`` is the option of that name, or the site's first origin."""
    form = {
        "api_key": secret,
        "blog": scorer.options.get("blog") or question.site_url,
        "user_ip": _network(scorer, question),
        "comment_type": "comment",
        "comment_content": question.text,
        "blog_charset": "UTF-8",
    }
    if question.page_url:
        form["permalink"] = question.page_url
    if "language" in scorer.options:
        form["blog_lang"] = scorer.options["language"]
    if scorer.options.get("send_name"):
        form |= {"comment_author": question.author_name, "comment_author_url": question.author_url or ""}
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    return Request(scorer.url.rstrip("/") + "/1.1/comment-check", headers, urlencode(form).encode("ascii"))


def opinion(scorer: Scorer, _question: Question, answer: Answer) -> Opinion:
    """The body is the verdict, ``true`` for spam or ``false``; it stands for a spam score of 1 or 0.

    Raises ``ScorerUnavailable`` for a verdict that the server wants to be asked for again.
    """
    if answer.body == b"true":
        blatant = answer.headers.get("x-akismet-pro-tip", "").strip().lower() == "discard"
        sentence = "spam, and blatantly so." if blatant else "spam."
        return Opinion({"spam": 1.0}, evidence=reading.said(scorer.name, sentence))
    if answer.body != b"false":
        raise ValueError("neither true nor false")
    recheck = answer.headers.get("x-akismet-recheck-after", "")
    if recheck.isascii() and recheck.isdigit():
        wait_s = min(int(recheck[:6]), MAX_RECHECK_S)
        raise ScorerUnavailable("The verdict is not final yet.", wait_s=float(wait_s), is_fault=False)
    return Opinion({"spam": 0.0}, evidence=())


def _network(scorer: Scorer, question: Question) -> str:
    """The first address of the reader's network, which is all that is stored of it."""
    network = question.ip_network.partition("/")[0] if scorer.options.get("send_network") else ""
    return network or NOWHERE
