"""What the use cases are built from: made once by ``app.create_app`` and passed to every service explicitly."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from moderation.adapters.identity_provider import IdentityProvider
from moderation.adapters.mail import Mailer
from moderation.adapters.passwords import Passwords
from moderation.adapters.safe_http import Sender
from moderation.adapters.sanitizer import Renderer
from moderation.adapters.scorers.client import Client
from moderation.adapters.vault import Vault
from moderation.scoring.pipeline import Pipeline
from moderation.settings import Settings

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Parts:
    """The joined parts. Tests replace the seams: ``clock``, ``pipeline``, ``sender``."""

    settings: Settings
    vault: Vault
    passwords: Passwords
    renderer: Renderer
    pipeline: Pipeline
    sender: Sender
    scorers: Client
    provider: IdentityProvider | None = None
    mailer: Mailer | None = None
    clock: Clock = utc_now
