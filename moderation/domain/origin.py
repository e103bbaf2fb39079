"""Where a site's pages are served from, in the form in which a browser names it. Pure."""

from urllib.parse import urlsplit

from moderation.domain.links import safe_url

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def origin_of(raw: str) -> str | None:
    """``scheme://host[:port]`` as a browser sends it in ``Origin`` (RFC 6454, section 6.2), or None for anything else.

    Scheme and host in lower case, the host as A-labels, the default port left out. A final ``/`` is let pass; a path,
    a query, a user name or ``null`` are not.
    """
    url = safe_url(raw)
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.path not in {"", "/"} or "?" in url or "#" in url:
        return None
    return f"{parts.scheme}://{parts.netloc.removesuffix(_DEFAULT_PORTS[parts.scheme])}"
