"""Settings, typed, read once from the environment. Nonsense refuses to start and names the setting.

Each setting is ``MODERATION_<NAME>``, or ``MODERATION_<NAME>_FILE``: a path whose content is the value. The three keys
default to the files that ``moderation init`` writes to ``<home>/keys/``. Every setting, with its default and two lines
of prose, stands in ``settings.example.env``; a test holds that file against this one.
"""

import base64
import binascii
import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from environs import EnvError, FileAwareEnv, validate
from limits import parse_many

from moderation.errors import SettingsError

PREFIX = "MODERATION_"
KEY_FILES = {"SECRET_KEY": "secret_key", "ENCRYPTION_KEYS": "encryption_keys", "INDEX_KEY": "index_key"}
"""Setting name to file name in ``<home>/keys/``."""

MIN_KEY_BYTES = 32
_KNOWN_DEFAULTS = (
    "changeme",
    "change-me",
    "change_me",
    "secret",
    "password",
    "default",
    "example",
    "insecure",
)

SMTP_SECURITY = ("starttls", "tls", "none", "plain-text-on-the-network")
SECOND_FACTOR_OFF, SECOND_FACTOR_ADMINS, SECOND_FACTOR_ALL = "off", "admins", "all"
SMTPS_PORT = 465
SUBMISSION_PORT = 587
"""RFC 8314: TLS from the first byte, and STARTTLS."""

_SECOND_FACTOR = (SECOND_FACTOR_OFF, SECOND_FACTOR_ADMINS, SECOND_FACTOR_ALL)
_CLAIM = r"\A[A-Za-z0-9_.:/-]{1,100}\Z"
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII | re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*", re.ASCII)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. Durations in seconds, sizes in bytes unless the name says otherwise.

    ``encryption_keys_file``: the file that ``encryption_keys`` were read from, which may get a new key while the
    service runs; None where they came from the environment.
    """

    home: Path
    database_url: str = field(repr=False)
    public_url: str
    secret_key: bytes = field(repr=False)
    encryption_keys: tuple[tuple[str, bytes], ...] = field(repr=False)
    index_key: bytes = field(repr=False)
    encryption_keys_file: Path | None = None
    webhook_allow_networks: tuple[Network, ...] = ()
    replica_url: str = ""
    webhook_allow_http: bool = False
    webhook_timeout_s: float = 20.0
    scorer_allow_networks: tuple[Network, ...] = ()
    scorer_timeout_s: float = 20.0
    smtp_host: str = ""
    smtp_port: int = SUBMISSION_PORT
    smtp_security: str = "starttls"
    smtp_user: str = ""
    smtp_password: str = field(default="", repr=False)
    smtp_from: str = ""
    smtp_timeout_s: float = 20.0
    mail_rate: str = "500/hour"
    mail_days: int = 30
    worker_threads: int = 16
    proxy_hops: int = 0
    sanitizer: str = "bleach"
    max_body_bytes: int = 65_536
    public_cache_s: int = 0
    session_hours: int = 12
    second_factor: str = SECOND_FACTOR_OFF
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_claim: str = "preferred_username"
    oidc_name: str = "your organisation"
    oidc_allow_networks: tuple[Network, ...] = ()
    event_days: int = 30
    log_level: str = "INFO"
    metrics_token: str = field(default="", repr=False)
    demo: bool = False

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self.database_url.startswith("sqlite")

    @property
    def is_https(self) -> bool:
        """Whether people reach the service by https, so that cookies can insist on it."""
        return self.public_url.startswith("https://")

    @property
    def has_oidc(self) -> bool:
        """Whether people may log in to the console by their organisation."""
        return bool(self.oidc_issuer)

    @property
    def has_mail(self) -> bool:
        """Whether the service sends mail; without, nothing that needs it is offered and no address is kept for it."""
        return bool(self.smtp_host)


def home_folder() -> Path:
    """The home folder, which is all that ``moderation init`` needs to know before there are keys."""
    return Path(os.environ.get(PREFIX + "HOME") or "var").absolute()


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises ``SettingsError`` naming the setting, for a key that is missing, short or a well-known default, for a
    value that does not parse, and for a ``MODERATION_`` name that does not exist (a misspelt one would be ignored).
    """
    env = FileAwareEnv(prefix=PREFIX, strip_whitespace=True)
    home = home_folder()
    read = _Reader(env)
    settings = Settings(
        home=home,
        database_url=_database_url("DATABASE_URL", read("DATABASE_URL", env.str, "") or _own_file(home)),
        replica_url=_replica_url(read("REPLICA_URL", env.str, "")),
        public_url=_public_url(read("PUBLIC_URL", env.str, "http://127.0.0.1:8080")),
        secret_key=_key("SECRET_KEY", read.key("SECRET_KEY", home)),
        encryption_keys=_keyring(read.key("ENCRYPTION_KEYS", home)),
        index_key=_key("INDEX_KEY", read.key("INDEX_KEY", home)),
        encryption_keys_file=_keys_file(home),
        webhook_allow_networks=_networks("WEBHOOK_ALLOW_NETWORKS", read("WEBHOOK_ALLOW_NETWORKS", env.list, [])),
        webhook_allow_http=read("WEBHOOK_ALLOW_HTTP", env.bool, False),
        webhook_timeout_s=read("WEBHOOK_TIMEOUT_S", env.float, 20.0, validate.Range(0.1, 60)),
        scorer_allow_networks=_networks("SCORER_ALLOW_NETWORKS", read("SCORER_ALLOW_NETWORKS", env.list, [])),
        scorer_timeout_s=read("SCORER_TIMEOUT_S", env.float, 20.0, validate.Range(0.1, 60)),
        smtp_host=read("SMTP_HOST", env.str, ""),
        smtp_port=read("SMTP_PORT", env.int, SUBMISSION_PORT, validate.Range(1, 65_535)),
        smtp_security=read("SMTP_SECURITY", env.str, "starttls", validate.OneOf(SMTP_SECURITY)),
        smtp_user=read("SMTP_USER", env.str, ""),
        smtp_password=read("SMTP_PASSWORD", env.str, ""),
        smtp_from=read("SMTP_FROM", env.str, ""),
        smtp_timeout_s=read("SMTP_TIMEOUT_S", env.float, 20.0, validate.Range(1, 120)),
        mail_rate=_rate("MAIL_RATE", read("MAIL_RATE", env.str, "500/hour")),
        mail_days=read("MAIL_DAYS", env.int, 30, validate.Range(1, 365)),
        worker_threads=read("WORKER_THREADS", env.int, 16, validate.Range(1, 64)),
        proxy_hops=read("PROXY_HOPS", env.int, 0, validate.Range(0, 5)),
        sanitizer=read("SANITIZER", env.str, "bleach", validate.OneOf(["bleach", "nh3"])),
        max_body_bytes=read("MAX_BODY_BYTES", env.int, 65_536, validate.Range(4_096, 1_048_576)),
        public_cache_s=read("PUBLIC_CACHE_S", env.int, 0, validate.Range(0, 3_600)),
        session_hours=read("SESSION_HOURS", env.int, 12, validate.Range(1, 720)),
        second_factor=read("SECOND_FACTOR", env.str, SECOND_FACTOR_OFF, validate.OneOf(_SECOND_FACTOR)),
        oidc_issuer=read("OIDC_ISSUER", env.str, ""),
        oidc_client_id=read("OIDC_CLIENT_ID", env.str, ""),
        oidc_client_secret=read("OIDC_CLIENT_SECRET", env.str, ""),
        oidc_claim=read("OIDC_CLAIM", env.str, "preferred_username", validate.Regexp(_CLAIM)),
        oidc_name=read("OIDC_NAME", env.str, "your organisation", validate.Length(1, 60)),
        oidc_allow_networks=_networks("OIDC_ALLOW_NETWORKS", read("OIDC_ALLOW_NETWORKS", env.list, [])),
        event_days=read("EVENT_DAYS", env.int, 30, validate.Range(1, 3_650)),
        log_level=read("LOG_LEVEL", env.str, "INFO", validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"])),
        metrics_token=read("METRICS_TOKEN", env.str, ""),
        demo=read("DEMO", env.bool, False),
    )
    read.refuse_unknown_names()
    if settings.has_mail:
        _check_mail(settings)
    if settings.has_oidc:
        _check_oidc(settings)
    return settings


class _Reader:
    """Reads one setting at a time and remembers which names exist."""

    def __init__(self, env: FileAwareEnv) -> None:
        self._env = env
        self._names = {"HOME"}

    def __call__(self, name: str, kind: Callable[..., Any], default: Any, *rules: validate.Validator) -> Any:
        self._names |= {name, f"{name}_FILE"}
        if {PREFIX + name, f"{PREFIX}{name}_FILE"} <= os.environ.keys():
            raise SettingsError(f"{PREFIX}{name} and {PREFIX}{name}_FILE are both set. Keep one of them.")
        try:
            return kind(name, default, validate=list(rules))
        except (EnvError, ValueError, OSError) as error:
            raise SettingsError(f"{PREFIX}{name} is not valid: {error}") from None

    def key(self, name: str, home: Path) -> str:
        value: str = self(name, self._env.str, "")
        if value:
            return value
        path = home / "keys" / KEY_FILES[name]
        try:
            return path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            raise SettingsError(
                f"{PREFIX}{name} is not set and {path} does not exist. Run 'moderation init' to make it."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{PREFIX}{name}: {path} cannot be read: {error.__class__.__name__}.") from None

    def refuse_unknown_names(self) -> None:
        given = {name.removeprefix(PREFIX) for name in os.environ if name.startswith(PREFIX)}
        for name in sorted(given - self._names):
            raise SettingsError(f"{PREFIX}{name} is not a setting. settings.example.env lists all of them.")


def _own_file(home: Path) -> str:
    return f"sqlite:///{home / 'moderation.db'}"


def _replica_url(value: str) -> str:
    url = _database_url("REPLICA_URL", value) if value else ""
    if url.startswith("sqlite"):
        raise SettingsError(f"{PREFIX}REPLICA_URL is not 'postgresql://...': SQLite has no replicas.")
    return url


def _database_url(name: str, value: str) -> str:
    if value.startswith("postgres://"):
        value = value.replace("postgres://", "postgresql://", 1)
    if not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise SettingsError(f"{PREFIX}{name} is neither 'sqlite:///PATH' nor 'postgresql://...'.")
    return value


def _public_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise SettingsError(
            f"{PREFIX}PUBLIC_URL is '{value}'. It is the address readers use: https://comments.example."
        )
    return value.rstrip("/")


def _networks(name: str, values: list[str]) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(value.strip()) for value in values if value.strip())
    except ValueError as error:
        raise SettingsError(f"{PREFIX}{name}: {error}. Use e.g. '10.0.0.0/8,fd00::/8'.") from None


def _rate(name: str, value: str) -> str:
    try:
        parse_many(value)
    except ValueError:
        raise SettingsError(f"{PREFIX}{name} is '{value}'. It is like '500/hour' or '100/hour;1000/day'.") from None
    return value


def _check_mail(settings: Settings) -> None:
    """Refuse what could not send, or would send a password or a reader's address in the clear."""
    security, is_here = settings.smtp_security, _is_loopback(settings.smtp_host)
    if not (_HOST_NAME.fullmatch(settings.smtp_host) or _is_ip(settings.smtp_host)):
        raise SettingsError(f"{PREFIX}SMTP_HOST is a host name or an address alone; the port is {PREFIX}SMTP_PORT.")
    if not _ADDRESS.fullmatch(settings.smtp_from):
        raise SettingsError(f"{PREFIX}SMTP_FROM is not an address like comments@news.example, which mails come from.")
    if security == "none" and not is_here:
        raise SettingsError(f"{PREFIX}SMTP_SECURITY is 'none', which is for a mail server on this machine alone.")
    if (security, settings.smtp_port) in {("tls", SUBMISSION_PORT), ("starttls", SMTPS_PORT)}:
        raise SettingsError(
            f"{PREFIX}SMTP_PORT does not fit {PREFIX}SMTP_SECURITY: 'tls' has {SMTPS_PORT}, "
            f"'starttls' {SUBMISSION_PORT}."
        )
    if bool(settings.smtp_user) != bool(settings.smtp_password):
        raise SettingsError(f"{PREFIX}SMTP_USER and {PREFIX}SMTP_PASSWORD go together. Set both or none.")
    if settings.smtp_user and security == "plain-text-on-the-network":
        raise SettingsError(f"{PREFIX}SMTP_PASSWORD would cross the network in the clear. Use 'starttls' or 'tls'.")
    if not settings.public_url.isascii():
        raise SettingsError(f"{PREFIX}PUBLIC_URL has to be ASCII where mail is sent: write its host as 'xn--...'.")
    if not settings.is_https and not _is_loopback(urlsplit(settings.public_url).hostname or ""):
        raise SettingsError(
            f"{PREFIX}PUBLIC_URL has to begin with https:// where mail is sent: it stands in the mails."
        )


def _check_oidc(settings: Settings) -> None:
    """Refuse a provider that anybody on the way could stand in for, or that knows nothing of us."""
    try:
        issuer = urlsplit(settings.oidc_issuer)
    except ValueError:
        issuer = urlsplit("")
    schemes = {"https", "http"} if settings.oidc_allow_networks else {"https"}
    if issuer.scheme not in schemes or not issuer.hostname or issuer.query or issuer.fragment:
        raise SettingsError(
            f"{PREFIX}OIDC_ISSUER is the provider's address as it names itself: https://login.news.example/realm. "
            f"Only one inside {PREFIX}OIDC_ALLOW_NETWORKS may begin with http://."
        )
    if not settings.oidc_client_id:
        raise SettingsError(f"{PREFIX}OIDC_CLIENT_ID is not set: the name under which the provider knows this service.")


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _key(name: str, value: str) -> bytes:
    """Decode a key of base64, at least 32 bytes; refuse short, default-like and patterned ones."""
    hint = "Run 'moderation init', or make one with: openssl rand -base64 32"
    if any(word in value.lower() for word in _KNOWN_DEFAULTS):
        raise SettingsError(f"{PREFIX}{name} looks like a default value. {hint}")
    try:
        key = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise SettingsError(f"{PREFIX}{name} is not base64. {hint}") from None
    if len(key) < MIN_KEY_BYTES:
        raise SettingsError(f"{PREFIX}{name} has {len(key)} bytes; at least {MIN_KEY_BYTES} are needed. {hint}")
    if len(set(key)) < MIN_KEY_BYTES // 4:
        raise SettingsError(f"{PREFIX}{name} is not random. {hint}")
    return key


def _keys_file(home: Path) -> Path | None:
    if os.environ.get(f"{PREFIX}ENCRYPTION_KEYS"):
        return None
    return Path(os.environ.get(f"{PREFIX}ENCRYPTION_KEYS_FILE") or home / "keys" / KEY_FILES["ENCRYPTION_KEYS"])


def read_keyring(path: Path) -> tuple[tuple[str, bytes], ...]:
    """The encryption keys in a file, the first of which seals. Raises ``SettingsError``, ``OSError``."""
    return _keyring(path.read_text(encoding="ascii"))


def _keyring(value: str) -> tuple[tuple[str, bytes], ...]:
    """Parse ``id:base64`` entries, one a line or separated by commas; the first encrypts, all of them decrypt."""
    name = "ENCRYPTION_KEYS"
    ring: list[tuple[str, bytes]] = []
    for entry in value.replace(",", "\n").split():
        key_id, colon, text = entry.partition(":")
        if not colon or not (key_id.isascii() and key_id.isalnum() and len(key_id) <= 16):
            raise SettingsError(f"{PREFIX}{name}: each entry is 'ID:BASE64', the id up to 16 letters and digits.")
        key = _key(name, text)
        if len(key) != MIN_KEY_BYTES:
            raise SettingsError(f"{PREFIX}{name}: key '{key_id}' has {len(key)} bytes; AES-256 takes exactly 32.")
        ring.append((key_id, key))
    if not ring:
        raise SettingsError(f"{PREFIX}{name} is empty. Run 'moderation init' to make it.")
    if len({key_id for key_id, _ in ring}) < len(ring):
        raise SettingsError(f"{PREFIX}{name} names a key id twice.")
    return tuple(ring)
