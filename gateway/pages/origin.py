"""Where a browser sent a request from: a page of this site, or another site's (cross-site request forgery)."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

#: A header of a page whose forms are asked where they come from: with no-referrer a browser would not say.
SAID: Final[Mapping[str, str]] = {"referrer-policy": "same-origin"}


def is_own(headers: Mapping[str, str], *, unsaid: bool, public_url: str | None = None) -> bool:
    """Return whether a request was sent from a page of this site; `unsaid` where nothing says where it was sent from.

    Sec-Fetch-Site is the browser's own word (Fetch Metadata), sent over https and to this machine; "none" is the
    reader's own doing, as a form that is sent anew after a restart. Where it is not sent, each POST has an Origin
    (RFC 6454): ours is the public URL's, or has the host that was asked for.
    """
    match headers.get("sec-fetch-site"):
        case "same-origin":
            return True
        case "none":
            return unsaid
        case str():
            return False
    origin = headers.get("origin")
    if origin is None:
        return unsaid
    return origin == public_url or _has_host(origin, headers.get("host", ""))


def _has_host(origin: str, host: str) -> bool:
    try:
        return host != "" and urlsplit(origin).netloc == host
    except ValueError:
        return False
