"""What keeps addresses private: encryption with key ids, blind indexes, keyed hashes, signed tokens.

Three keys come from the settings, each for its own use, so that the loss of one is not the loss of all:

- ``ENCRYPTION_KEYS`` seal values (AES-256-GCM); the first seals, all of them open.
- ``INDEX_KEY`` makes what has to be found or compared without being read: blind indexes, hashes of networks, avatars.
- ``SECRET_KEY`` signs tokens.

Sub keys are derived by HKDF-SHA-256 (RFC 5869), one for each purpose and site, once in a process.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import string
import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from moderation.domain.identity import subscriber_of
from moderation.errors import Bug, SettingsError
from moderation.settings import Settings, read_keyring

NONCE_BYTES = 12
"""NIST SP 800-38D, 8.2.2: random nonces of 96 bits are good for 2**32 values under one key."""

MAX_SIGNED_CHARS = 4_096
"""No token of ours is longer; what is longer is not looked at."""

MAX_USER_AGENT_CHARS = 512
TOKEN_PREFIX = "cm"  # noqa: S105
TOKEN_ALPHABET = string.ascii_lowercase + string.digits
TOKEN_RANDOM_CHARS = 40
"""40 of 36 letters: 206 bits. With the prefix 42 characters, which every Akismet client accepts as a key."""

_FORMAT = b"v1"
_SEPARATOR = b":"


class Vault:
    """Seals, indexes and signs with the keys of the settings. Safe to share between threads.

    A new key in the file of the encryption keys is taken up at the next value that is sealed, or that needs it: keys
    are rotated while the service runs.
    """

    def __init__(self, settings: Settings) -> None:
        self._keys = Keyring(settings)
        self._index_key = settings.index_key
        self._secret_key = settings.secret_key
        self._audit_key = _derive(settings.index_key, b"audit")
        self._site_key = lru_cache(maxsize=4_096)(self._derive_site_key)
        self._signing_key = lru_cache(maxsize=1_024)(self._derive_signing_key)

    def seal(self, plain: bytes, *, table: str, column: str, row_id: uuid.UUID, site_id: uuid.UUID) -> bytes:
        """Encrypt ``plain`` for one place: it opens nowhere but in this table, column, row and site.

        The result is ``key-id ":" nonce ciphertext tag``, that is 29 bytes and the key id more than ``plain``.
        """
        nonce = secrets.token_bytes(NONCE_BYTES)
        key_id, cipher = self._keys.sealing()
        sealed = cipher.encrypt(nonce, plain, _place(key_id, table, column, row_id, site_id))
        return key_id.encode("ascii") + _SEPARATOR + nonce + sealed

    def open(self, sealed: bytes, *, table: str, column: str, row_id: uuid.UUID, site_id: uuid.UUID) -> bytes:
        """Decrypt what was sealed for this place.

        Raises ``Bug`` for a value that was changed, belongs elsewhere, or whose key is not among the settings.
        """
        key_id = self.key_id_of(sealed)
        cipher = self._keys.opening(key_id)
        if cipher is None:
            raise Bug(f"A sealed value of {table}.{column} needs a key that ENCRYPTION_KEYS does not have.")
        start = len(key_id) + len(_SEPARATOR)
        nonce, rest = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, rest, _place(key_id, table, column, row_id, site_id))
        except (InvalidTag, ValueError):
            raise Bug(f"A sealed value of {table}.{column} was changed or belongs elsewhere.") from None

    @property
    def current_key(self) -> str:
        """The id of the key that seals."""
        return self._keys.sealing()[0]

    def key_id_of(self, sealed: bytes) -> str:
        """The id of the key that a value was sealed with; raises ``Bug`` for what is no sealed value."""
        key_id, separator, _ = sealed[: 16 + len(_SEPARATOR)].partition(_SEPARATOR)
        if not separator or not key_id.isalnum():
            raise Bug("A sealed value has no key id.")
        return key_id.decode("ascii")

    def reseal(self, sealed: bytes, *, table: str, column: str, row_id: uuid.UUID, site_id: uuid.UUID) -> bytes | None:
        """Seal again under the current key, for a rotation; None where it is under that key already."""
        if self.key_id_of(sealed) == self.current_key:
            return None
        plain = self.open(sealed, table=table, column=column, row_id=row_id, site_id=site_id)
        return self.seal(plain, table=table, column=column, row_id=row_id, site_id=site_id)

    def blind_index(self, site_id: uuid.UUID, canonical_email: str) -> bytes:
        """16 bytes that find an address on one site and tell nothing about it on another, nor without the key."""
        return self._hash("email", site_id, canonical_email.encode())

    def network_key(self, site_id: uuid.UUID, ip: str, day: date) -> bytes:
        """16 bytes that stand for one subscriber on one site for one day (UTC): for rate limits and bursts.

        All that is no IP address shares one value, so that nonsense cannot escape a limit.
        """
        return self._hash("network", site_id, day.isoformat().encode() + subscriber_of(ip))

    def reader_key(self, site_id: uuid.UUID, ip_network: str, user_agent: str) -> bytes:
        """16 bytes that stand for a reader who votes or reports: the same while network and browser are."""
        browser = user_agent[:MAX_USER_AGENT_CHARS]
        return self._hash("reader", site_id, _encode(f"{ip_network}\n{browser}"))

    def person_key(self, site_id: uuid.UUID, person_id: str) -> bytes:
        """16 bytes that stand for a reader whom a site knows, by the site's own name for them."""
        return self._hash("person", site_id, _encode(person_id))

    def key_mark(self, key: bytes) -> bytes:
        """16 bytes by which a key is found to be in use already, on whatever site."""
        return self._hash("key", uuid.UUID(int=0), key)

    def text_key(self, site_id: uuid.UUID, text: str) -> bytes:
        """16 bytes that find a text that a site was taught, and tell nothing of it without the key."""
        return self._hash("text", site_id, _encode(text))

    def recovery_key(self, moderator_id: uuid.UUID, code: str) -> bytes:
        """16 bytes that find a moderator's recovery code, and tell nothing of it without the key."""
        return self._hash("recovery", moderator_id, _encode(code))

    def avatar_key(self, site_id: uuid.UUID, seed: bytes) -> str:
        """The public name of an avatar: 22 URL-safe characters, from which nobody gets back to ``seed``."""
        return _to_text(self._hash("avatar", site_id, seed))

    @property
    def audit_key(self) -> bytes:
        """32 bytes that key the hashes of the audit log: who can write the database cannot write a line that fits."""
        return self._audit_key

    def sign(self, purpose: str, payload: str) -> str:
        """Return a URL-safe token that proves ``payload`` for this ``purpose`` alone. The payload can be read by all.

        Raises ``Bug`` where the token would be longer than 4,096 characters.
        """
        data = _to_text(payload.encode())
        token = f"{data}.{_to_text(hmac.digest(self._signing_key(purpose), data.encode(), 'sha256'))}"
        if len(token) > MAX_SIGNED_CHARS:
            raise Bug("A payload is too long to be signed.")
        return token

    def unsign(self, purpose: str, token: str) -> str | None:
        """Return the payload of a token that ``sign`` made for this purpose; None for everything else."""
        if len(token) > MAX_SIGNED_CHARS or not token.isascii():
            return None
        data, _, given = token.partition(".")
        expected = _to_text(hmac.digest(self._signing_key(purpose), data.encode(), "sha256"))
        if not hmac.compare_digest(expected, given):
            return None
        try:
            return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None

    @staticmethod
    def new_token() -> str:
        """A new API token of 206 random bits: ``cm`` and 40 of ``[a-z0-9]``. Shown once, kept as its hash."""
        return TOKEN_PREFIX + "".join(secrets.choice(TOKEN_ALPHABET) for _ in range(TOKEN_RANDOM_CHARS))

    @staticmethod
    def token_hash(token: str) -> bytes:
        """SHA-256 of a token. No slow hash is needed, since a token cannot be guessed."""
        return hashlib.sha256(_encode(token)).digest()

    def _hash(self, purpose: str, site_id: uuid.UUID, data: bytes) -> bytes:
        return hmac.digest(self._site_key(purpose, site_id), data, "sha256")[:16]

    def _derive_site_key(self, purpose: str, site_id: uuid.UUID) -> bytes:
        return _derive(self._index_key, purpose.encode() + b"\0" + site_id.bytes)

    def _derive_signing_key(self, purpose: str) -> bytes:
        return _derive(self._secret_key, b"sign\0" + purpose.encode())


class Keyring:
    """The encryption keys. Where they are in a file, it is read again once it is another one: a look costs some
    microseconds. What cannot be read then, or makes no sense, leaves the keys as they were.
    """

    def __init__(self, settings: Settings) -> None:
        self._file = settings.encryption_keys_file
        self._seen: tuple[int, int, int] | None = None
        self._ring = _ring(settings.encryption_keys)

    def sealing(self) -> tuple[str, AESGCM]:
        """The id of the first key, and its cipher."""
        self._look()
        return next(iter(self._ring.items()))

    def opening(self, key_id: str) -> AESGCM | None:
        """The cipher of a key; None where there is no such key."""
        if key_id not in self._ring:
            self._look()
        return self._ring.get(key_id)

    def _look(self) -> None:
        mark = self._mark()
        if self._file is None or mark is None or mark == self._seen:
            return
        with suppress(SettingsError, OSError, UnicodeDecodeError):
            fresh = _ring(read_keyring(self._file))
            self._ring, self._seen = fresh, mark

    def _mark(self) -> tuple[int, int, int] | None:
        """What another file in this place, or a change of this one, differs in."""
        try:
            found = self._file.stat() if self._file else None
        except OSError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_size) if found else None


def _ring(keys: Iterable[tuple[str, bytes]]) -> dict[str, AESGCM]:
    return {key_id: AESGCM(key) for key_id, key in keys}


def _place(key_id: str, table: str, column: str, row_id: uuid.UUID, site_id: uuid.UUID) -> bytes:
    """The associated data: names cannot hold a NUL and ids have a fixed length, so no two places are alike."""
    names = b"\0".join((_FORMAT, key_id.encode(), table.encode(), column.encode()))
    return names + b"\0" + row_id.bytes + site_id.bytes


def _derive(key: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"moderation\0" + info).derive(key)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
