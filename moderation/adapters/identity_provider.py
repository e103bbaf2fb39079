"""Speaks to an organisation's OpenID provider, by the same guarded socket as webhooks.

Authlib would bring an HTTP client of its own, which resolves and connects as it likes; so what it is good for here,
the checking of tokens, is joserfc's, on which Authlib rests.
"""

import base64
import json
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, urlencode

from moderation.adapters.safe_http import Answer, Sender
from moderation.adapters.signed_tokens import claims_by_keys
from moderation.domain.organisation import NOT_AS_IT_SHOULD, WELL_KNOWN, Provider, provider_of
from moderation.errors import OutboundFailed, Unauthenticated

KEPT_S = 600.0
"""How long the provider's addresses and keys are kept; an unknown key is looked for at once."""

ASKED_AGAIN_AFTER_S = 10.0
AT_ONCE = 2
"""Questions to the provider at the same time, of one process: a slow one holds no more of the server's threads."""

MAX_ANSWER_BYTES = 200_000
MAX_TOKEN_CHARS = 16_384
USER_AGENT = "comment-moderation-log-in/1"


class IdentityProvider:
    """One OpenID provider. Safe to share between threads; each process keeps its addresses and keys for itself."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str,
        sender: Sender,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self._secret = client_secret
        self._sender = sender
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._kept: dict[str, tuple[float, Any]] = {}

    def discover(self) -> Provider:
        """Where the provider does what. Raises ``OutboundFailed`` where it does not say so, or not as it should."""
        url = self.issuer.rstrip("/") + WELL_KNOWN
        try:
            return provider_of(self._json_of(url, KEPT_S), self.issuer)
        except OutboundFailed:
            # What cannot be used is not kept: the provider may be put right in the meantime.
            with self._lock:
                self._kept.pop(url, None)
            raise

    def exchange(self, provider: Provider, code: str, verifier: str, redirect_uri: str) -> str:
        """The ID token for a code. Raises ``Unauthenticated`` for one that is refused, ``OutboundFailed``."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self.client_id,
        }
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }
        if self._secret and provider.takes_basic:
            headers["Authorization"] = f"Basic {_basic(self.client_id, self._secret)}"
        elif self._secret:
            form["client_secret"] = self._secret
        body = urlencode(form).encode()
        answer = self._ask(lambda: self._sender.post(provider.token_endpoint, headers=headers, body=body))
        if 400 <= answer.status < 500 and answer.status != 429:
            raise Unauthenticated("Your organisation did not accept the log-in. Begin again.")
        found = _json(answer)
        token = found.get("id_token") if isinstance(found, dict) else None
        if not isinstance(token, str) or len(token) > MAX_TOKEN_CHARS:
            raise OutboundFailed(NOT_AS_IT_SHOULD)
        return token

    def claims(self, provider: Provider, token: str) -> dict[str, Any]:
        """The claims of an ID token that a key of the provider signed. Raises ``Unauthenticated`` for any other."""
        for kept_s in (KEPT_S, ASKED_AGAIN_AFTER_S):
            claims = claims_by_keys(token, self._json_of(provider.jwks_uri, kept_s))
            if claims is not None:
                return claims
        raise Unauthenticated("Your organisation's answer is not signed by a key of its own.")

    def _json_of(self, url: str, kept_s: float) -> Any:
        with self._lock:
            at, document = self._kept.get(url, (0.0, None))
        if document is not None and self._monotonic() - at < kept_s:
            return document
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
        document = _json(self._ask(lambda: self._sender.get(url, headers=headers)))
        with self._lock:
            self._kept[url] = self._monotonic(), document
        return document

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        if not self._slots.acquire(blocking=False):
            raise OutboundFailed("The log-in service has enough questions at once.")
        try:
            return ask()
        finally:
            self._slots.release()


def _json(answer: Answer) -> Any:
    if answer.status != 200 or not answer.is_whole:
        raise OutboundFailed(NOT_AS_IT_SHOULD)
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise OutboundFailed(NOT_AS_IT_SHOULD) from None


def _basic(client_id: str, secret: str) -> str:
    """RFC 6749, section 2.3.1: both are form-encoded before they are joined."""
    return base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode("ascii")
