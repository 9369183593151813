"""A job's settings as a diff shows them: secrets hidden, and nothing else. Pure.

Glue shows a job's settings to everybody who may read it, so they should hold no secrets; a diff is
kept longer, and read by others. A setting is judged by the words of its name, and a text by what it
holds: names and values in pairs, and secrets that are known by their form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from flinkglue.lifecycle.sensitive import HIDDEN
from flinkglue.texts import without_credentials

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_STEMS = (
    "password", "passwd", "passphrase", "passcode", "secret", "credential",
    "apikey", "accesskey", "accountkey", "privatekey",
)  # fmt: skip
_ENDINGS = ("token", "pwd", "jwt")
_WORDS = ("tokens", "auth", "sas", "pass", "pw")
_KEYS = (
    "api", "access", "account", "private", "service", "shared", "signing", "encryption",
    "master", "ssh",
)  # fmt: skip
"""What a key is that is a secret: a partition key is none."""
_SAYS_SOMETHING_ABOUT = (
    "name", "names", "arn", "arns", "path", "paths", "uri", "uris", "url", "urls", "endpoint",
    "file", "files", "location", "prefix", "bucket", "region", "provider", "type", "kind", "class",
    "mode", "method", "strategy", "algorithm", "format", "version", "enabled", "disabled",
    "required", "ttl", "seconds", "minutes", "hours", "days", "timeout", "expiry", "length", "size",
    "count", "limit", "max", "min", "interval", "rotation", "policy", "alias", "column", "columns",
    "field", "fields", "table", "issuer",
)  # fmt: skip
"""The last word of a name whose value is no secret, but where one is kept, or how it is used."""
_PLACE = re.compile(r"(arn|s3|s3a|s3n|ssm|jceks|file|hdfs):", re.IGNORECASE)
_SWITCHES = ("true", "false", "yes", "no", "on", "off", "none", "null", "")
_NUMBER = re.compile(r"[0-9]{1,7}(\.[0-9]+)?")

_PAIR = re.compile(
    r"""(?<![\w.-])(?P<name>[\w.-]++)(?:["']?\s*=\s*|["']\s*:\s*|:\s+)"""
    r"""|(?<![\w.-])(?P<option>--?[A-Za-z][\w.-]*+)\s+(?!-)"""
)
"""A name and what comes before its value: ``a=``, ``"a": ``, ``--a ``."""
_VALUE = re.compile(r"""["'][^"']*["']?|[^\s,;&"'{}]+""")
_FORMS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JSON web token
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bxox[abpr]-[\w-]{10,}",
    re.DOTALL,
)


def shown_value(name: str, value: Any) -> str:
    """A setting's value, without the secrets in it.

    Args:
        name: The setting's own name, for example ``--db-password``.
        value: What it is, not None.
    """
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return HIDDEN if holds_secret(name, text) else _without_secrets(text)


def holds_secret(name: str, text: str) -> bool:
    """Whether a setting of this name with this value is a secret."""
    found = _secret_words(name)
    if not found or text.lower() in _SWITCHES or _PLACE.match(text):
        return False
    counts = found <= {"token", "tokens"} and _NUMBER.fullmatch(text)
    return not counts


def _secret_words(name: str) -> set[str]:
    """The words of a name by which its value is a secret."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _SAYS_SOMETHING_ABOUT:
        return set()
    keys = {what for what, key in pairwise(words) if key == "key" and what in _KEYS}
    found = {word for word in words if _is_secret(word)}
    return found if words[-1] == "id" else found | keys


def _is_secret(word: str) -> bool:
    return word in _WORDS or word.endswith(_ENDINGS) or any(stem in word for stem in _STEMS)


def _without_secrets(text: str) -> str:
    parsed = _json(text)
    if parsed is not None:
        walked = _walked(parsed)
        return text if walked == parsed else json.dumps(walked, ensure_ascii=False)
    return without_credentials(_pairs_hidden(_FORMS.sub(HIDDEN, text)))


def _pairs_hidden(text: str) -> str:
    """The value of one pair may be a pair: ``--conf=spark.password=x``."""
    shown, place = [], 0
    while pair := _PAIR.search(text, place):
        shown.append(text[place : pair.end()])
        place = pair.end()
        name = pair["name"] or pair["option"]
        value = _VALUE.match(text, place) if _secret_words(name) else None
        if value and holds_secret(name, value[0].strip("\"'")):
            shown.append(HIDDEN)
            place = value.end()
    return "".join([*shown, text[place:]])


def _json(text: str) -> Any:
    """The object or list that a text is; None for any other."""
    try:
        return json.loads(text) if text.lstrip()[:1] in ("{", "[") else None
    except (ValueError, RecursionError):
        return None


def _walked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _member(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_walked(inner) for inner in value]
    return _without_secrets(value) if isinstance(value, str) else value


def _member(name: str, value: Any) -> Any:
    if isinstance(value, Mapping | list) or value is None:
        return _walked(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return HIDDEN if holds_secret(name, text) else _walked(value)
