"""What it means when httpx gives no answer."""

from __future__ import annotations

import httpx

# Raised before a request left this machine: the service cannot have acted on it.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# The connection broke, or what came over it could not be read.
NO_ANSWER = (httpx.TransportError, httpx.DecodingError)


def in_words(fault: httpx.RequestError) -> str:
    """The fault's kind and its message; some have no message."""
    kind = type(fault).__name__
    return f"{kind}: {fault}" if str(fault) else kind
