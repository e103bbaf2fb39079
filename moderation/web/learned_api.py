"""What a site's decisions taught: looking at it, taking it along, teaching by a text, starting anew."""

from typing import Any

from moderation.services import learning
from moderation.web import guards, schemas
from moderation.web.calls import Calls, actor

calls = Calls("learning", "/api/v1", "What a site's own decisions taught its scores.", secured=True)


@calls.call("GET", "/sites/<site:site>/learned", answer=schemas.LearnedOut)
def show_learned(site: str) -> Any:
    """Show what a site's decisions taught: how much, how well it predicts them, and the words that count most."""
    return learning.show(guards.parts(), actor(), site)


@calls.call("GET", "/sites/<site:site>/learned/export", answer=schemas.LearnedExport)
def export_learned(site: str) -> Any:
    """Give out a site's model to take along, for admins. `moderation learned import` reads it."""
    return learning.export(guards.parts(), actor(), site)


@calls.call(
    "POST", "/sites/<site:site>/learned/teach", body=schemas.TeachIn, answer=schemas.LearnedOut,
    example={"text": "Priest Odwe cured me with seven herbs.", "label": "spam"},
)  # fmt: skip
def teach(site: str, body: dict[str, Any]) -> Any:
    """Teach a site by a text that is no comment of it. The text itself is not kept."""
    return learning.teach(guards.parts(), actor(), site, body["text"], body["label"])


@calls.call(
    "POST", "/sites/<site:site>/learned/reset", body=schemas.ResetIn, answer=schemas.LearnedOut,
    example={"reason": "The newsroom changed its rules."},
)  # fmt: skip
def reset_learned(site: str, body: dict[str, Any]) -> Any:
    """Forget everything that a site's decisions taught, for admins with a reason. It leaves a line in the audit log."""
    return learning.reset(guards.parts(), actor(), site, body["reason"])
