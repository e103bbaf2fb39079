"""The key of a thread from the address of its page, for comments that come from another system. Pure."""

from enum import StrEnum

from moderation.domain.links import safe_url

_TRACKING = frozenset({"fbclid", "gclid", "mc_cid", "mc_eid"})


class ThreadKey(StrEnum):
    """What becomes the key of a thread."""

    PATH = "path"
    """The address from its path on, with the query: ``/2025/07/arms-pause/``. What the widget takes by itself."""

    BARE = "bare"
    """The same without slashes at its ends: ``2025/07/arms-pause``."""

    URL = "url"
    """The whole address."""

    ID = "id"
    """The page's id in the other system."""


def thread_key(url: str, page_id: str, how: ThreadKey) -> str:
    """The key of a page, "" where it cannot have one.

    The path is percent-encoded as browsers have it in ``location.pathname``. A query stays, since some sites name
    their articles in it; what advertisers add to it goes, and the fragment.
    """
    if how is ThreadKey.ID:
        return page_id
    address = (safe_url(url) or url).strip().partition("#")[0]
    address, mark, query = address.partition("?")
    kept = "&".join(part for part in query.split("&") if part and not _is_tracking(part))
    path = _path(address)
    if how is ThreadKey.BARE:
        path = path.strip("/") or "/"
    return (address if how is ThreadKey.URL else path) + (f"?{kept}" if mark and kept else "")


def _path(address: str) -> str:
    _, scheme, rest = address.partition("://")
    if not scheme:
        return address
    return f"/{rest.partition('/')[2]}"


def _is_tracking(part: str) -> bool:
    name = part.partition("=")[0].lower()
    return name in _TRACKING or name.startswith("utm_")
