"""What answered in a service's place: a proxy, a load balancer, an identity provider's page."""

from __future__ import annotations

import html
import re

import httpx

# In the order in which they name the product best.
_NAMING_HEADERS = ("server", "via", "x-powered-by")
_NAMED_BY_PREFIX = {
    "x-envoy-": "Envoy",
    "x-kong-": "Kong",
    "x-amz-apigw-": "Amazon API Gateway",
    "x-amz-cf-": "Amazon CloudFront",
    "cf-ray": "Cloudflare",
    "x-azure-ref": "Azure Front Door",
    "x-oauth2-": "oauth2-proxy",
}
_MOST_CHARACTERS = 120
_MOST_READ = 20_000
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_UNSEEN = re.compile(r"<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def what_answered(answer: httpx.Response) -> str:
    """One phrase: who answered as far as its headers tell, and with what.

    Neither a redirect's query nor what else may be secret in it is told.
    """
    who = _gateway(answer.headers) or "something else"
    if answer.is_redirect:
        return f"{who} redirects to {_target(answer)}"
    said = said_in_words(answer)
    return f"{who} answered: {said}" if said else f"{who} answered without a text"


def said_in_words(answer: httpx.Response) -> str:
    """The title of a page, or else its first words; a proxy's JSON as it is, cut short."""
    text = answer.text[:_MOST_READ]
    if _looks_like_page(text):
        title = _TITLE.search(text)
        seen = (title[1] if title else "") or _TAG.sub(" ", _UNSEEN.sub(" ", text))
        text = html.unescape(seen)
    return _short(text)


def _looks_like_page(text: str) -> bool:
    return text.lstrip().startswith("<")


def _gateway(headers: httpx.Headers) -> str:
    for name in _NAMING_HEADERS:
        if value := _short(headers.get(name, "")):
            return value
    found = (
        gateway
        for prefix, gateway in _NAMED_BY_PREFIX.items()
        if any(name.startswith(prefix) for name in headers)
    )
    return next(found, "")


def _target(answer: httpx.Response) -> str:
    try:
        target = httpx.URL(answer.headers["location"])
    except (httpx.InvalidURL, KeyError):
        return "an address that cannot be read"
    if not target.host:
        return _short(target.path)
    port = f":{target.port}" if target.port else ""
    return _short(f"{target.scheme}://{target.host}{port}{target.path}")


def _short(text: str) -> str:
    plain = "".join(char if char.isprintable() else " " for char in text)
    words = " ".join(plain.split())
    return words if len(words) <= _MOST_CHARACTERS else f"{words[: _MOST_CHARACTERS - 1]}…"
