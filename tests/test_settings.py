"""Settings: nonsense refuses to start and names the setting; ``settings.example.env`` lists all of them, truly."""

import base64
import os
import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from moderation import settings as settings_module
from moderation.errors import SettingsError
from moderation.settings import KEY_FILES, PREFIX, Settings, read_settings

EXAMPLE = Path(__file__).parent.parent / "settings.example.env"
KEY = base64.b64encode(bytes(range(100, 132))).decode()
OTHER_KEY = base64.b64encode(bytes(range(150, 182))).decode()
KEYS = {"SECRET_KEY": KEY, "ENCRYPTION_KEYS": f"k1:{KEY}", "INDEX_KEY": OTHER_KEY}


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment with good keys and nothing else, in an empty folder."""
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for name, value in KEYS.items():
        monkeypatch.setenv(PREFIX + name, value)
    return monkeypatch


def refusal(env: pytest.MonkeyPatch, name: str, value: str) -> str:
    """The words with which the service refuses to start; they always name the setting."""
    env.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert PREFIX + name.removesuffix("_FILE") in str(caught.value)
    return str(caught.value)


@pytest.mark.usefixtures("env")
def test_read_settings_with_keys_alone_has_the_defaults(tmp_path: Path) -> None:
    settings = read_settings()
    assert settings.home == tmp_path / "var"
    assert settings.database_url == f"sqlite:///{tmp_path / 'var' / 'moderation.db'}"
    assert settings.is_sqlite
    assert not settings.is_https
    assert (settings.webhook_allow_networks, settings.webhook_allow_http, settings.demo) == ((), False, False)
    assert settings.scorer_allow_networks == ()
    assert settings.secret_key == base64.b64decode(KEY)
    assert settings.encryption_keys == (("k1", base64.b64decode(KEY)),)


def test_read_settings_of_every_kind_is_typed(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {
        "HOME": str(tmp_path / "home"),
        "DATABASE_URL": "postgres://user@db/moderation",
        "PUBLIC_URL": "https://comments.example/",
        "WEBHOOK_ALLOW_NETWORKS": "10.0.0.0/8, fd00::/8",
        "WEBHOOK_ALLOW_HTTP": "true",
        "WEBHOOK_TIMEOUT_S": "2.5",
        "SCORER_ALLOW_NETWORKS": "192.168.7.0/24",
        "SCORER_TIMEOUT_S": "7.5",
        "WORKER_THREADS": "3",
        "SANITIZER": "nh3",
        "LOG_LEVEL": "DEBUG",
    }
    for name, value in given.items():
        env.setenv(PREFIX + name, value)
    settings = read_settings()
    assert settings.home == tmp_path / "home"
    assert settings.database_url == "postgresql://user@db/moderation"
    assert settings.public_url == "https://comments.example"
    assert settings.is_https
    assert not settings.is_sqlite
    assert settings.webhook_allow_networks == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert (settings.webhook_allow_http, settings.webhook_timeout_s, settings.worker_threads) == (True, 2.5, 3)
    assert (settings.scorer_allow_networks, settings.scorer_timeout_s) == ((ip_network("192.168.7.0/24"),), 7.5)


@pytest.mark.parametrize("name", KEY_FILES)
def test_read_settings_without_key_names_it_and_the_command(env: pytest.MonkeyPatch, name: str) -> None:
    env.delenv(PREFIX + name)
    with pytest.raises(SettingsError, match=f"{PREFIX}{name} is not set .* Run 'moderation init'"):
        read_settings()


@pytest.mark.parametrize("name", KEY_FILES)
def test_read_settings_without_key_takes_the_file_of_the_home_folder(
    env: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    env.delenv(PREFIX + name)
    (tmp_path / "var" / "keys").mkdir(parents=True)
    (tmp_path / "var" / "keys" / KEY_FILES[name]).write_text(KEYS[name] + "\n")
    settings = read_settings()
    assert base64.b64decode(KEY) in {settings.secret_key, settings.index_key, settings.encryption_keys[0][1]}


@pytest.mark.parametrize("name", KEY_FILES)
def test_read_settings_with_unreadable_key_file_names_the_key(
    env: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    env.delenv(PREFIX + name)
    (tmp_path / "var" / "keys" / KEY_FILES[name]).mkdir(parents=True)
    with pytest.raises(SettingsError, match=f"{PREFIX}{name}: .* cannot be read: IsADirectoryError"):
        read_settings()


WEAK_KEYS = [
    ("changeme", "looks like a default"),
    ("change-me-" + KEY, "looks like a default"),
    ("Secret" + KEY, "looks like a default"),
    (KEY[:20], "has 15 bytes"),
    (base64.b64encode(bytes(range(100, 131))).decode(), "has 31 bytes"),
    (base64.b64encode(b"a" * 32).decode(), "is not random"),
    (base64.b64encode(b"abcd" * 8).decode(), "is not random"),
    ("not base64 at all!", "is not base64"),
    (KEY + "*", "is not base64"),
    ("Zürich" + KEY, "is not base64"),
]


@pytest.mark.parametrize(("value", "said"), WEAK_KEYS)
@pytest.mark.parametrize("name", KEY_FILES)
def test_read_settings_with_weak_key_refuses_without_repeating_it(
    env: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    message = refusal(env, name, f"k1:{value}" if name == "ENCRYPTION_KEYS" else value)
    assert said in message
    assert "openssl rand -base64 32" in message
    assert value not in message


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (KEY, "ID:BASE64"),
        (f":{KEY}", "ID:BASE64"),
        (f"k-1:{KEY}", "ID:BASE64"),
        (f"ключ:{KEY}", "ID:BASE64"),
        (f"{'k' * 17}:{KEY}", "ID:BASE64"),
        (f"k1:{KEY},k1:{OTHER_KEY}", "names a key id twice"),
        (f"k1:{base64.b64encode(bytes(range(64))).decode()}", "takes exactly 32"),
        (",", "is empty"),
    ],
)
def test_read_settings_with_bad_keyring_says_what_is_wrong(env: pytest.MonkeyPatch, value: str, said: str) -> None:
    message = refusal(env, "ENCRYPTION_KEYS", value)
    assert said in message
    assert KEY not in message


@pytest.mark.parametrize("between", [",", "\n", ", ", "\r\n"])
def test_read_settings_with_two_keys_keeps_their_order(env: pytest.MonkeyPatch, between: str) -> None:
    env.setenv(PREFIX + "ENCRYPTION_KEYS", f"k2:{OTHER_KEY}{between}k1:{KEY}")
    assert [key_id for key_id, _ in read_settings().encryption_keys] == ["k2", "k1"]


def test_read_settings_from_file_takes_its_content(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of the scraper\n")
    env.setenv(PREFIX + "METRICS_TOKEN_FILE", str(tmp_path / "token"))
    assert read_settings().metrics_token == "of the scraper"


def test_read_settings_from_key_file_of_one_s_own_takes_its_content(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(OTHER_KEY + "\n")
    env.delenv(PREFIX + "SECRET_KEY")
    env.setenv(PREFIX + "SECRET_KEY_FILE", str(tmp_path / "secret"))
    assert read_settings().secret_key == base64.b64decode(OTHER_KEY)


@pytest.mark.parametrize("name", ["SECRET_KEY", "PUBLIC_URL", "WORKER_THREADS"])
def test_read_settings_from_missing_file_refuses(env: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    env.delenv(PREFIX + name, raising=False)
    refusal(env, f"{name}_FILE", str(tmp_path / "absent"))


@pytest.mark.parametrize("name", ["SECRET_KEY", "PUBLIC_URL", "DEMO"])
def test_read_settings_with_name_and_file_both_refuses(env: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    env.setenv(PREFIX + name, KEY)
    (tmp_path / "value").write_text(KEY)
    assert "are both set" in refusal(env, f"{name}_FILE", str(tmp_path / "value"))


@pytest.mark.parametrize("name", ["SECRETKEY", "PUBLIC_URI", "WEBHOOK_ALLOW", "public_url", "HOME_FILE"])
def test_read_settings_with_unknown_name_refuses(env: pytest.MonkeyPatch, name: str) -> None:
    env.setenv(PREFIX + name, "x")
    with pytest.raises(SettingsError, match=f"{PREFIX}{name} is not a setting. settings.example.env lists"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://db/x"),
        ("DATABASE_URL", "moderation.db"),
        ("DATABASE_URL", "sqlite:moderation.db"),
        ("PUBLIC_URL", "comments.example"),
        ("PUBLIC_URL", "ftp://comments.example"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https://comments.example/?a=1"),
        ("PUBLIC_URL", "https://comments.example/#a"),
        ("WEBHOOK_ALLOW_NETWORKS", "10.0.0.1/8"),
        ("WEBHOOK_ALLOW_NETWORKS", "localhost"),
        ("WEBHOOK_ALLOW_HTTP", "perhaps"),
        ("WEBHOOK_TIMEOUT_S", "0"),
        ("WEBHOOK_TIMEOUT_S", "61"),
        ("WEBHOOK_TIMEOUT_S", "nan"),
        ("WEBHOOK_TIMEOUT_S", "soon"),
        ("SCORER_ALLOW_NETWORKS", "127.0.0.1/8"),
        ("SCORER_TIMEOUT_S", "0"),
        ("SCORER_TIMEOUT_S", "61"),
        ("SMTP_PORT", "0"),
        ("SMTP_PORT", "65536"),
        ("SMTP_SECURITY", "ssl"),
        ("SMTP_TIMEOUT_S", "0"),
        ("SMTP_TIMEOUT_S", "121"),
        ("MAIL_RATE", "much"),
        ("MAIL_RATE", "none"),
        ("MAIL_DAYS", "0"),
        ("WORKER_THREADS", "0"),
        ("WORKER_THREADS", "65"),
        ("WORKER_THREADS", "many"),
        ("PROXY_HOPS", "-1"),
        ("PROXY_HOPS", "6"),
        ("SANITIZER", "none"),
        ("MAX_BODY_BYTES", "4095"),
        ("MAX_BODY_BYTES", "1048577"),
        ("PUBLIC_CACHE_S", "-1"),
        ("PUBLIC_CACHE_S", "3601"),
        ("SESSION_HOURS", "0"),
        ("SESSION_HOURS", "721"),
        ("LOG_LEVEL", "LOUD"),
        ("DEMO", "maybe"),
    ],
)
def test_read_settings_with_value_out_of_range_refuses(env: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert refusal(env, name, value)


MAIL = {"SMTP_HOST": "smtp.news.example", "SMTP_FROM": "comments@news.example", "PUBLIC_URL": "https://c.example"}


def test_read_settings_of_mail_with_a_password_in_a_file(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("of the relay\n")
    for name, value in {**MAIL, "SMTP_USER": "moderation", "SMTP_PASSWORD_FILE": str(tmp_path / "password")}.items():
        env.setenv(PREFIX + name, value)
    settings = read_settings()
    assert settings.has_mail
    assert (settings.smtp_port, settings.smtp_security, settings.smtp_password) == (587, "starttls", "of the relay")
    assert "of the relay" not in repr(settings)


@pytest.mark.usefixtures("env")
def test_read_settings_without_a_mail_server_is_without_mail() -> None:
    assert not read_settings().has_mail


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_HOST", "smtp.news.example:587"),
        ("SMTP_HOST", "smtp://news.example"),
        ("SMTP_HOST", "smtp news"),
        ("SMTP_FROM", ""),
        ("SMTP_FROM", "comments"),
        ("SMTP_FROM", "The News <comments@news.example>"),
        ("SMTP_FROM", "a@news.example\r\nBcc: b@news.example"),
        ("SMTP_FROM", "jörg@news.example"),
        ("SMTP_SECURITY", "none"),
        ("SMTP_SECURITY", "tls"),
        ("SMTP_PORT", "465"),
        ("SMTP_USER", "moderation"),
        ("SMTP_PASSWORD", "of the relay"),
        ("PUBLIC_URL", "http://comments.example"),
        ("PUBLIC_URL", "https://bücher.example"),
    ],
)
def test_read_settings_of_mail_that_cannot_be_refuses(env: pytest.MonkeyPatch, name: str, value: str) -> None:
    for known, good in MAIL.items():
        env.setenv(PREFIX + known, good)
    read_settings()
    said = refusal(env, name, value)
    assert "of the relay" not in said


def test_read_settings_never_sends_a_password_in_the_clear(env: pytest.MonkeyPatch) -> None:
    for name, value in {**MAIL, "SMTP_SECURITY": "plain-text-on-the-network"}.items():
        env.setenv(PREFIX + name, value)
    assert read_settings().smtp_security == "plain-text-on-the-network"
    env.setenv(PREFIX + "SMTP_USER", "moderation")
    assert "SMTP_PASSWORD would cross" in refusal(env, "SMTP_PASSWORD", "of the relay")


def test_read_settings_for_a_mail_server_on_this_machine_needs_no_tls(env: pytest.MonkeyPatch) -> None:
    for host in ("localhost", "127.0.0.1", "::1"):
        for name, value in {**MAIL, "SMTP_HOST": host, "SMTP_SECURITY": "none", "SMTP_PORT": "25"}.items():
            env.setenv(PREFIX + name, value)
        assert read_settings().smtp_security == "none"


@pytest.mark.usefixtures("env")
def test_repr_of_settings_shows_no_key_and_no_database_password() -> None:
    settings = read_settings()
    for secret in (settings.secret_key, settings.index_key, settings.encryption_keys[0][1]):
        assert repr(secret) not in repr(settings)
    assert "database_url" not in repr(settings)
    assert "metrics_token" not in repr(settings)


def names_that_are_read(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Every name that ``read_settings`` asks for."""
    readers = []

    class Watched(settings_module._Reader):
        def refuse_unknown_names(self) -> None:
            readers.append(self)

    monkeypatch.setattr(settings_module, "_Reader", Watched)
    read_settings()
    return {name for name in readers[0]._names if not name.endswith("_FILE")}


def example_values() -> dict[str, str]:
    """The settings of ``settings.example.env``, uncommented."""
    return dict(re.findall(rf"^#{PREFIX}([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))


def test_example_file_lists_exactly_the_names_that_are_read(env: pytest.MonkeyPatch) -> None:
    assert set(example_values()) == names_that_are_read(env)
    assert len(Settings.__dataclass_fields__.keys() - {"encryption_keys_file"}) == len(example_values())


def test_example_file_uncommented_changes_nothing(env: pytest.MonkeyPatch) -> None:
    before = read_settings()
    for name, value in example_values().items():
        if name not in KEYS:
            env.setenv(PREFIX + name, value)
    assert read_settings() == before
    assert [example_values()[name] for name in KEYS] == ["", "", ""]


def test_example_file_as_it_is_sets_nothing() -> None:
    assert [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")] == []


def test_example_file_has_two_lines_of_prose_for_each_setting() -> None:
    blocks = EXAMPLE.read_text().split("\n\n")
    settings = [block.strip().splitlines() for block in blocks if f"\n#{PREFIX}" in block]
    assert len(settings) == len(example_values())
    for *prose, setting in settings:
        assert setting.startswith(f"#{PREFIX}")
        assert len(prose) >= 2, setting
        assert all(line.startswith("# ") for line in prose), setting


@pytest.mark.parametrize(
    "name",
    ["WEBHOOK_ALLOW_NETWORKS", "WEBHOOK_ALLOW_HTTP", "SCORER_ALLOW_NETWORKS", "SMTP_SECURITY", "PROXY_HOPS", "DEMO"],
)
def test_example_file_calls_dangerous_settings_dangerous(name: str) -> None:
    (block,) = [block for block in EXAMPLE.read_text().split("\n\n") if f"#{PREFIX}{name}=" in block]
    assert "DANGEROUS" in block
