"""The rights of a person whose data a site keeps, for admins. An address is never in a URL, so that both are POST."""

from typing import Any

from moderation.services import privacy
from moderation.web import guards, schemas
from moderation.web.calls import Calls, actor

MOST_A_CALL = 500
"""Comments; each is a transaction of some milliseconds, and a request has half a minute."""

calls = Calls("privacy", "/api/v1/privacy", "A person's data: to take along, or gone.", secured=True)


@calls.call(
    "POST", "/export", body=schemas.PersonPageIn, answer=schemas.PersonOut,
    example={"site": "news", "email": "ana@example.org"},
)  # fmt: skip
def export_person(body: dict[str, Any]) -> Any:
    """Give out all that a site keeps of a person, a hundred comments a page.

    Make sure that the address is theirs before you hand it on. It leaves a line in the audit log.
    """
    return privacy.export_person(guards.parts(), actor(), body["site"], body["email"], cursor=body["cursor"])


@calls.call(
    "POST", "/erase", body=schemas.PersonIn, answer=schemas.ErasedOut, doc={"x-conflict": True},
    example={"site": "news", "email": "ana@example.org"},
)  # fmt: skip
def erase_person(body: dict[str, Any]) -> Any:
    """Erase a person on a site, for good. What becomes of the texts is for the site's setting `erase_texts` to say.

    Up to 500 comments a call: call again while `left` is not 0.
    """
    return privacy.erase_person(guards.parts(), actor(), body["site"], body["email"], most=MOST_A_CALL)
