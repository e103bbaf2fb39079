"""``moderation sso``: keys by which a site vouches for its readers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OKPKey

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def inside(run: Run, home: Path) -> None:
    """An installation with a site."""
    run("site", "add", "news", "--origin", "https://news.example")


def test_sso_key_is_made_listed_and_removed(run: Run, run_json: Run) -> None:
    made = run_json("sso", "add", "--site", "news", "--name", "accounts")
    assert made["secret"].startswith("sso_")
    (listed,) = run_json("sso", "list", "--site", "news")
    assert (listed["id"], listed["algorithm"], "secret" in listed) == (made["id"], "HS256", False)
    run("sso", "remove", made["id"])
    assert run_json("sso", "list", "--site", "news") == []
    assert "no such sign-on key" in run("sso", "remove", made["id"], status=1).stderr
    run("site", "set", "news", "sso=required")
    assert "off, optional, required" in run("site", "set", "news", "sso=maybe", status=1).stderr


def test_sso_key_of_ones_own_is_read_from_a_file(run: Run, run_json: Run, tmp_path: Path) -> None:
    pair = OKPKey.generate_key("Ed25519")
    public, private = tmp_path / "public.pem", tmp_path / "private.pem"
    public.write_bytes(pair.as_pem(private=False))
    private.write_bytes(pair.as_pem(private=True))
    made = run_json("sso", "add", "--site", "news", "--public-key", str(public))
    assert (made["algorithm"], "secret" in made) == ("EdDSA", False)
    assert "private half" in run("sso", "add", "--site", "news", "--public-key", str(private), status=1).stderr
    secret = "a secret that the site has had for a long time"
    printed = run("sso", "add", "--site", "news", "--secret-file", "-", stdin=secret + "\n").output
    assert secret not in printed
