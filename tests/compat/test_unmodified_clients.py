"""Clients that were written for the other services, unmodified, against this one behind a real socket."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import akismet
import feedparser
import httpx
import pytest
from googleapiclient import discovery, errors

from moderation.domain import webhook
from moderation.domain.actor import CLI
from moderation.services import learning
from tests.compat.conftest import BLOG, CALM, FRENCH, READER_IP, SPAM, Live


class Detour(httpx.HTTPTransport):
    """Sends to this service what the client sends to Akismet: its documented way to bring one's own HTTP client."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._to = httpx.URL(url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The same request to another address."""
        request.url = request.url.copy_with(scheme="http", host=self._to.host, port=self._to.port)
        return super().handle_request(request)


def client_of(live: Live, key: str) -> akismet.SyncClient:
    http = httpx.Client(headers={"User-Agent": akismet.USER_AGENT}, timeout=10.0, transport=Detour(live.url))
    return akismet.SyncClient(config=akismet.Config(key=key, url=BLOG), http_client=http)


def decisions(live: Live) -> int:
    with live.app.app_context():
        return int(learning.show(live.app.extensions["moderation"], CLI, "news")["decisions"])


# --- PyPI


def test_pypi_akismet_verifies_checks_submits_and_asks_for_usage(live: Live) -> None:
    with client_of(live, live.keys.own) as client:
        assert client.comment_check(user_ip=READER_IP, comment_content=CALM) is akismet.CheckResponse.HAM
        assert client.comment_check(user_ip=READER_IP, comment_content=SPAM) is akismet.CheckResponse.DISCARD
        guaranteed = client.comment_check(user_ip=READER_IP, comment_author="akismet-guaranteed-spam", is_test=True)
        assert guaranteed is akismet.CheckResponse.SPAM
        admin = client.comment_check(user_ip=READER_IP, comment_content=SPAM, user_role="administrator")
        assert admin is akismet.CheckResponse.HAM
        assert client.submit_spam(user_ip=READER_IP, comment_content="Seven herbs", comment_author="A") is True
        assert client.submit_ham(user_ip=READER_IP, comment_content="Seven herbs") is True
        assert client.usage_limit()["usage"] == 4
    assert decisions(live) == 1


def test_pypi_akismet_with_a_wrong_key_says_so(live: Live) -> None:
    for key in ("x" * 42, live.keys.moderator, live.keys.switched_off):
        client = client_of(live, key)
        assert client.verify_key() is False
        with pytest.raises(akismet.APIKeyError):
            client.comment_check(user_ip=READER_IP, comment_content=CALM)


def test_pypi_akismet_async_client_does_the_same(live: Live) -> None:
    class AsyncDetour(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            to = httpx.URL(live.url)
            request.url = request.url.copy_with(scheme="http", host=to.host, port=to.port)
            return await super().handle_async_request(request)

    async def check() -> list[Any]:
        async with httpx.AsyncClient(transport=AsyncDetour(), timeout=10.0) as http:
            config = akismet.Config(key=live.keys.own, url=BLOG)
            client = await akismet.AsyncClient.validated_client(config=config, http_client=http)
            calls = [client.comment_check(user_ip=READER_IP, comment_content=text) for text in (CALM, SPAM)]
            return await asyncio.gather(*calls)

    assert asyncio.run(check()) == [akismet.CheckResponse.HAM, akismet.CheckResponse.DISCARD]


def test_google_api_python_client_analyzes_through_the_discovery_document(live: Live) -> None:
    service = commentanalyzer(live, live.keys.own)
    request = {
        "comment": {"text": "You are an idiot. Have a nice day!"},
        "requestedAttributes": {"TOXICITY": {}, "SPAM": {"scoreThreshold": 0.9}},
        "spanAnnotations": True,
        "doNotStore": True,
        "clientToken": "c1",
    }
    answer = service.comments().analyze(body=request).execute()
    assert answer["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.7
    assert [one["end"] for one in answer["attributeScores"]["TOXICITY"]["spanScores"]] == [17, 34]
    assert "SPAM" not in answer["attributeScores"]
    suggestion = {
        "comment": {"text": "You are an idiot."},
        "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}},
        "clientToken": "c2",
    }
    assert service.comments().suggestscore(body=suggestion).execute()["clientToken"] == "c2"
    assert decisions(live) == 1


def test_google_api_python_client_reads_errors_with_details(live: Live) -> None:
    body = {"comment": {"text": FRENCH}, "requestedAttributes": {"TOXICITY": {}}}
    with pytest.raises(errors.HttpError) as refused:
        commentanalyzer(live, live.keys.own).comments().analyze(body=body).execute()
    assert refused.value.error_details[0]["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert refused.value.reason == "Attribute TOXICITY does not support request languages: fr"
    with pytest.raises(errors.HttpError) as wrong_key:
        commentanalyzer(live, "x" * 42).comments().analyze(body=body).execute()
    assert wrong_key.value.error_details[0]["reason"] == "API_KEY_INVALID"


def commentanalyzer(live: Live, key: str) -> Any:
    return discovery.build(
        "commentanalyzer",
        "v1alpha1",
        developerKey=key,
        discoveryServiceUrl=f"{live.url}/$discovery/rest?version=v1alpha1",
        static_discovery=False,
        cache_discovery=False,
    )


# --- npm


CEDX = """
import {Author, Blog, Client, Comment, CheckResult} from "@cedx/akismet";
const given = JSON.parse(process.argv[2]);
const blog = new Blog({url: given.blog, charset: "UTF-8", languages: ["en"]});
const client = new Client(given.key, blog, {baseUrl: given.url});
const author = new Author({ipAddress: given.ip, name: "Ana"});
const comment = content => new Comment({author, content, context: ["a", "b"]});
const named = result => Object.keys(CheckResult).find(name => CheckResult[name] === result);
const told = {valid: await client.verifyKey(), calm: named(await client.checkComment(comment(given.calm))),
  spam: named(await client.checkComment(comment(given.spam)))};
await client.submitSpam(comment("Seven herbs"));
await client.submitHam(comment("Seven herbs"));
told.wrong = await new Client("x".repeat(42), new Blog({url: given.blog}), {baseUrl: given.url}).verifyKey();
try { await client.checkComment(new Comment({content: "no address"})); } catch (error) { told.error = error.message; }
console.log(JSON.stringify(told));
"""


def test_npm_cedx_akismet(live: Live, node: Callable[..., Any]) -> None:
    told = node(CEDX, url=live.url, key=live.keys.own, blog=BLOG, ip=READER_IP, calm=CALM, spam=SPAM)
    assert told == {
        "valid": True,
        "calm": "ham",
        "spam": "pervasiveSpam",
        "wrong": False,
        "error": "Missing required field: user_ip.",
    }
    assert decisions(live) == 1


# Names below akismet.test lead to this machine, as a name server would have it.
AT_HOME = """
import dns from "node:dns";
const lookup = dns.lookup;
dns.lookup = (name, options, done) => lookup(name.endsWith("akismet.test") ? "127.0.0.1" : name, options, done);
"""

AKISMET_API = (
    AT_HOME
    + """
import api from "akismet-api";
const given = JSON.parse(process.argv[2]);
const client = key => new api.AkismetClient({key, blog: given.blog, host: given.host, protocol: "http"});
const own = client(given.key), comment = content => ({ip: given.ip, useragent: "x", content, name: "Ana"});
const told = {valid: await own.verifyKey(), calm: await own.checkSpam(comment(given.calm)),
  spam: await own.checkSpam(comment(given.spam)), wrong: await client("x".repeat(42)).verifyKey()};
await own.submitSpam(comment("Seven herbs"));
await own.submitHam(comment("Seven herbs"));
try { await own.checkSpam({content: "no address"}); } catch (error) { told.error = true; }
console.log(JSON.stringify(told));
"""
)


def test_npm_akismet_api_with_its_key_in_the_host(live: Live, node: Callable[..., Any]) -> None:
    host = f"akismet.test:{live.port}"
    told = node(AKISMET_API, host=host, key=live.keys.own, blog=BLOG, ip=READER_IP, calm=CALM, spam=SPAM)
    assert told == {"valid": True, "calm": False, "spam": True, "wrong": False, "error": True}
    assert decisions(live) == 1


AKISMET = (
    AT_HOME
    + """
import api from "akismet";
const given = JSON.parse(process.argv[2]);
const client = apiKey => api.client({apiKey, blog: given.blog, host: "akismet.test", port: given.port});
const call = (client, name, ...args) =>
  new Promise((done, fail) => client[name](...args, (error, told) => error ? fail(error) : done(told)));
const own = client(given.key), comment = content => ({user_ip: given.ip, comment_content: content});
const told = {valid: await call(own, "verifyKey"), calm: await call(own, "checkComment", comment(given.calm)),
  spam: await call(own, "checkComment", comment(given.spam)), wrong: await call(client("x".repeat(42)), "verifyKey")};
await call(own, "submitSpam", comment("Seven herbs"));
await call(own, "submitHam", comment("Seven herbs"));
console.log(JSON.stringify(told));
"""
)


def test_npm_akismet_with_its_key_in_the_host(live: Live, node: Callable[..., Any]) -> None:
    told = node(AKISMET, port=live.port, key=live.keys.own, blog=BLOG, ip=READER_IP, calm=CALM, spam=SPAM)
    assert told == {"valid": True, "calm": False, "spam": True, "wrong": False}
    assert decisions(live) == 1


WEBHOOK = """
import {Webhook} from "standardwebhooks";
const given = JSON.parse(process.argv[2]);
const hook = new Webhook(given.secret), told = [];
const forged = given.body + " ";
for (const [headers, body] of [[given.headers, given.body], [given.headers, forged], [given.late, given.body]]) {
  try { told.push(hook.verify(body, headers).type); } catch (error) { told.push("refused"); }
}
console.log(JSON.stringify(told));
"""


def test_npm_standardwebhooks_verifies_our_signatures(node: Callable[..., Any]) -> None:
    secret, body = webhook.new_secret(), '{"type": "comment.approved", "name": "José 😀"}'
    now = datetime.now(UTC)
    headers = webhook.sign([secret, webhook.new_secret()], "msg_1", now, body.encode())
    late = webhook.sign([secret], "msg_1", datetime.fromtimestamp(time.time() - 3_600, UTC), body.encode())
    told = node(WEBHOOK, secret=secret, headers=headers, late=late, body=body)
    assert told == ["comment.approved", "refused", "refused"]


# --- feedparser


def post(live: Live, body: str, name: str = "Ana", parent: str | None = None) -> str:
    """An approved comment, written and decided on through the running service; its id."""
    sent = httpx.post(
        f"{live.url}/api/v1/sites/news/comments",
        json={
            "thread": {"key": "ferry", "url": f"{BLOG}ferry", "title": 'The "night" ferry & <co>'},
            "parent_id": parent,
            "author": {"name": name, "email": "ana@example.org", "url": "https://ana.example/"},
            "body": body,
        },
        headers={"Origin": BLOG.rstrip("/")},
    )
    assert sent.status_code == 202, sent.text
    made = str(sent.json()["id"])
    decided = httpx.post(
        f"{live.url}/api/v1/comments/{made}/decisions",
        json={"action": "approve"},
        headers={"Authorization": f"Bearer {live.keys.moderator}"},
    )
    assert decided.status_code == 200, decided.text
    return made


@pytest.mark.parametrize("of", ["", "?thread=ferry"])
def test_feedparser_reads_a_feed_and_asks_again_without_getting_it_twice(live: Live, of: str) -> None:
    first = post(live, "A calm *and* useful remark on <b>the harbour</b> & its [ferry](https://ferry.example/).")
    name = "Ana \u200f<script>\u0645"
    answer = post(live, "An answer to that, and not a short one.", name=name, parent=first)
    address = f"{live.url}/sites/news/feed.atom{of}"
    feed = feedparser.parse(address)
    assert feed.bozo == 0, feed.get("bozo_exception")
    assert (feed.version, feed.status) == ("atom10", 200)
    assert feed.headers["content-type"] == "application/atom+xml; charset=utf-8"
    assert feed.feed.id.startswith("urn:uuid:")
    assert feed.feed.updated_parsed is not None
    reply, comment = feed.entries
    assert [reply.id, comment.id] == [f"urn:uuid:{answer}", f"urn:uuid:{first}"]
    assert reply["thr_in-reply-to"]["ref"] == comment.id
    assert reply.author_detail.name == "Ana <script>\u0645"
    assert comment.author_detail.href == "https://ana.example/"
    assert comment.link == f"{BLOG}ferry#comment-{first}"
    assert comment.published_parsed is not None
    (content,) = comment.content
    assert content.type == "text/html"
    assert "<em>and</em>" in content.value
    assert 'href="https://ferry.example/"' in content.value
    assert "ana@example.org" not in str(feed)
    again = feedparser.parse(address, etag=feed.etag)
    assert (again.status, len(again.entries)) == (304, 0)
