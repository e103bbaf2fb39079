"""Links: how many, how much of the text, where to, and whether the site blocks it. One link says nothing by itself."""

import ipaddress
import re
from collections.abc import Iterator, Sequence

from moderation.domain.links import host_of, safe_url
from moderation.domain.policy import Evidence, Signal, Span
from moderation.scoring.words import MAX_SPANS, SUFFIXES, RuleRow, Rules, rules_signal

_SHORTENERS = """
adf.ly bit.ly bitly.com buff.ly cutt.ly goo.gl is.gd lnkd.in ow.ly rb.gy rebrand.ly s.id shorturl.at soo.gd t.co
t.ly tiny.cc tinyurl.com tny.im trib.al u.to v.gd wa.me t.me x.co
"""
SHORTENERS = frozenset(_SHORTENERS.split())
"""Hosts that hide where a link leads, or that move a talk to a messenger. A short list of our own."""

MANY_LINKS = ((10, 0.6), (5, 0.35), (3, 0.2), (2, 0.05))
"""From how many links on, which weight. By our judgement of what a talkative reader needs."""

_NO_LINKS = Signal("links", scores={"spam": 0.0})

# What a reader sees as a link, in the source. Each quantifier is over a class that its follower is not in.
_URL = re.compile(r"(?:https?://|\bwww\.)[^\s<>\[\]()\"']+", re.IGNORECASE)
_FOREIGN_MARKUP = re.compile(r"\[(?:url|link)\b[=\]]|<a\s+href\b|<iframe\b", re.IGNORECASE)
_MARKDOWN_LINK = re.compile(r"\[([^\[\]]{1,200})\]\(\s{0,3}<?(https?://[^\s<>()]+)", re.IGNORECASE)


def links(body: str, hrefs: Sequence[str], author_url: str | None) -> Signal:
    """How the links of a comment look. ``hrefs``: the absolute ones of the final HTML, in order.

    ``scores["spam"]`` is the weight: a rule of thumb, not a trained score.
    """
    places = list(_places(_URL, body)) if "://" in body or "www." in body.lower() else []
    if not (places or hrefs or author_url or "[" in body or "<" in body):
        return _NO_LINKS
    hosts = {host for href in hrefs if (host := _host(href))}
    found = [*_amount(body, places, len(hrefs)), *_kinds(hosts, places), *_tricks(body)]
    own = _host(author_url) if author_url else None
    if own and (_is_address(own) or own in SHORTENERS):
        found.append((0.15, Evidence("The author's own link hides where it leads.")))
    weight = round(min(1.0, sum(part for part, _ in found)), 4)
    return Signal("links", weight, tuple(evidence for _, evidence in found), {"spam": weight})


def site_domains(hrefs: Sequence[str], author_url: str | None, email_domain: str | None, rules: Rules) -> Signal:
    """Domains that the site lists, with their subdomains: in links, the author's own link and the address's domain."""
    found: dict[tuple[str, str], tuple[RuleRow, Evidence]] = {}
    if rules.domains:
        for host, where in _hosts_to_check(hrefs, author_url, email_domain):
            row = _listed(host, rules)
            if row is not None:
                found[row.id, where] = (row, Evidence(f"{where} {row.value}, which is on the site's list."))
    return rules_signal("site_domains", list(found.values()), broken="domain" in rules.broken)


def _hosts_to_check(
    hrefs: Sequence[str], author_url: str | None, email_domain: str | None
) -> Iterator[tuple[str, str]]:
    for href in dict.fromkeys(hrefs):
        if host := _host(href):
            yield host, "The text links to"
    if author_url and (host := _host(author_url)):
        yield host, "The author's own link leads to"
    if email_domain:
        yield email_domain.lower().strip("."), "The author's address is at"


def _listed(host: str, rules: Rules) -> RuleRow | None:
    """The rule for the host itself or for what it is a subdomain of, up to the registrable domain."""
    top = SUFFIXES.privatesuffix(host) or host
    while len(host) >= len(top):
        if host in rules.domains:
            return rules.domains[host]
        _, dot, host = host.partition(".")
        if not dot:
            break
    return None


def _amount(body: str, places: Sequence[Span], rendered: int) -> Iterator[tuple[float, Evidence]]:
    count = max(len(places), rendered)
    for least, weight in MANY_LINKS:
        if count >= least:
            yield weight, Evidence(f"{count} links.", tuple(places[:MAX_SPANS]))
            break
    share = sum(place.end - place.start for place in places) / max(len(body.strip()), 1)
    if share > 0.8:
        yield 0.1, Evidence("Almost nothing but links.", tuple(places[:MAX_SPANS]))


def _kinds(hosts: set[str], places: Sequence[Span]) -> Iterator[tuple[float, Evidence]]:
    spans = tuple(places[:MAX_SPANS])
    if any(_is_address(host) for host in hosts):
        yield 0.4, Evidence("A link to a bare IP address.", spans)
    if any(host in SHORTENERS or host.removeprefix("www.") in SHORTENERS for host in hosts):
        yield 0.2, Evidence("A link through a shortener, which hides where it leads.", spans)
    if any(label.startswith("xn--") for host in hosts for label in host.split(".")):
        yield 0.1, Evidence("A link to a host with letters outside the Latin alphabet (punycode).", spans)


def _tricks(body: str) -> Iterator[tuple[float, Evidence]]:
    if "[" not in body and "<" not in body:
        return
    foreign = tuple(_places(_FOREIGN_MARKUP, body))
    if foreign:
        yield 0.35, Evidence("Link markup of other systems, as bulk senders post it.", foreign[:MAX_SPANS])
    posing = [Span(*match.span()) for match in _MARKDOWN_LINK.finditer(body) if _poses(match[1], match[2])]
    if posing:
        yield 0.4, Evidence("A link whose text shows another host than it leads to.", tuple(posing[:MAX_SPANS]))


def _places(pattern: re.Pattern[str], body: str) -> Iterator[Span]:
    return (Span(*match.span()) for match in pattern.finditer(body))


def _poses(shown: str, target: str) -> bool:
    """Whether the text of a link is an address on another registrable domain than the link's."""
    match = _URL.search(shown)
    if match is None:
        return False
    url = match[0] if "://" in match[0] else f"https://{match[0]}"
    seen, real = _host(url), _host(target)
    return bool(seen and real) and _registrable(seen or "") != _registrable(real or "")


def _registrable(host: str) -> str:
    return SUFFIXES.privatesuffix(host) or host


def _host(url: str) -> str | None:
    safe = safe_url(url)
    return host_of(safe) if safe else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
