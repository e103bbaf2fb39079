"""For moderators and admins: a site's own rules, lists of words, rules in YAML, and trying them before they count."""

import uuid
from typing import Any

from moderation.services import automod, sites, trials, word_lists
from moderation.services.trials import Tried
from moderation.web import guards, schemas
from moderation.web.calls import Calls, actor, idempotency

calls = Calls("rules", "/api/v1", "For admins: a site's own rules. Moderators may read and try them.", secured=True)


@calls.call("GET", "/rules", query=schemas.ScopePaged, answer=schemas.RulesOut)
def list_rules(query: dict[str, Any]) -> Any:
    """List the rules of a site, or with `*` those for all sites."""
    return sites.list_rules(guards.parts(), actor(), query["site"], limit=query["limit"], cursor=query["cursor"])


@calls.call(
    "POST", "/rules", body=schemas.RuleIn, answer=schemas.RuleOut, status=201, creates=True, doc={"x-conflict": True},
    example={"site": "news", "kind": "domain", "value": "spam.example", "action": "spam", "weight": 1.0},
)  # fmt: skip
def add_rule(body: dict[str, Any]) -> Any:
    """Add a rule: a word, pattern (RE2), domain, author or network, and what it does."""
    site_key = body.pop("site")
    return sites.add_rule(guards.parts(), actor(), site_key, **body, idem=idempotency())


@calls.call(
    "POST", "/rules/test", body=schemas.RuleTestIn, answer=schemas.RuleTestOut,
    example={"site": "news", "text": "The casino is open", "rule": {"kind": "word", "value": "casino*"}},
)  # fmt: skip
def test_rules(body: dict[str, Any]) -> Any:
    """Try a site's rules on a text, or a rule, a list or rules in YAML that are not stored. Nothing is stored."""
    tried, site_key, text = _tried(body), body.pop("site"), body.pop("text")
    return trials.try_rules(guards.parts(), actor(), site_key, text, tried=tried, **body)


@calls.call(
    "POST", "/rules/backtest", body=schemas.BacktestIn, answer=schemas.BacktestOut, doc={"x-conflict": True},
    example={"site": "news", "rule": {"kind": "word", "value": "casino*", "action": "hold"}, "last": 5000},
)  # fmt: skip
def backtest(body: dict[str, Any]) -> Any:
    """Show what a rule, a list or rules in YAML would have done to the last comments that moderators decided on."""
    tried, site_key = _tried(body), body.pop("site")
    return trials.backtest(guards.parts(), actor(), site_key, tried, **body)


@calls.call("DELETE", "/rules/<id:rule_id>", status=204)
def remove_rule(rule_id: uuid.UUID) -> None:
    """Remove a rule."""
    sites.remove_rule(guards.parts(), actor(), rule_id)


@calls.call("GET", "/sites/<scope:site>/word-lists", query=schemas.Paged, answer=schemas.WordListsOut)
def list_word_lists(site: str, query: dict[str, Any]) -> Any:
    """List the lists of words of a site, or with `*` those for all sites."""
    return word_lists.list_lists(guards.parts(), actor(), site, **query)


@calls.call(
    "PUT", "/sites/<scope:site>/word-lists/<site:name>", body=schemas.WordListIn, answer=schemas.WordListPut,
    doc={"x-conflict": True},
    example={"text": "casino\nfree money\nvirgin gold\t0.2", "action": "hold", "language": "en"},
)  # fmt: skip
def put_word_list(site: str, name: str, body: dict[str, Any]) -> Any:
    """Make a list of words, or replace or extend the one of this name.

    The body may have up to 4,194,304 bytes here, in place of the usual limit.
    """
    return word_lists.put_list(guards.parts(), actor(), site, name, body.pop("text"), **body)


@calls.call("GET", "/sites/<scope:site>/word-lists/<site:name>", answer=schemas.WordListWhole)
def show_word_list(site: str, name: str) -> Any:
    """Show a list of words with its entries."""
    return word_lists.show_list(guards.parts(), actor(), site, name)


@calls.call("DELETE", "/sites/<scope:site>/word-lists/<site:name>", status=204)
def remove_word_list(site: str, name: str) -> None:
    """Remove a list of words."""
    word_lists.remove_list(guards.parts(), actor(), site, name)


@calls.call(
    "PUT", "/sites/<site:site>/automod", body=schemas.AutomodIn, answer=schemas.AutomodOut,
    example={"text": "body: [casino, free money]\nauthor:\n    is_new: true\naction: filter\n"},
)  # fmt: skip
def put_automod(site: str, body: dict[str, Any]) -> Any:
    """Set a site's rules in the form of AutoModerator. 422 names line and column of what is wrong."""
    return automod.put_automod(guards.parts(), actor(), site, body["text"])


@calls.call("GET", "/sites/<site:site>/automod", answer=schemas.AutomodOut)
def show_automod(site: str) -> Any:
    """Show a site's rules in the form of AutoModerator, as they were written."""
    return automod.show_automod(guards.parts(), actor(), site)


@calls.call("DELETE", "/sites/<site:site>/automod", status=204)
def remove_automod(site: str) -> None:
    """Remove a site's rules in the form of AutoModerator."""
    automod.remove_automod(guards.parts(), actor(), site)


def _tried(body: dict[str, Any]) -> Tried:
    """What the body names to be tried, taken out of it."""
    return Tried(body.pop("rule"), body.pop("list"), body.pop("automod"), body.pop("without", None))
