"""Values that people, scripts and attackers fill in where something else is wanted."""

from __future__ import annotations

import random
from typing import Any

ADDRESSES = (
    "https://h:abc", "https://[::1", "https://[::1]", "https://xn--", "https://xn--a", "https://",
    "https://user:pa55@host", "https://user:pa/55@host", "https://tok@host", "http://h:0",
    "http://h:70000", "https://h/../..", "https://h?x=y", "https://h#f", "https://ho st",
    "https://h\\x", "https:h", "//h", "ftp://h", "HTTPS://H", "https://a..b", "https://-a",
    "https://münchen.example", "https://1.2.3", "https://1.2.3.4.5", "https://" + "a" * 300,
    "https://" + "a." * 2000, "https://h:" + "9" * 400, "https://[fe80::1%25eth0]", "https://%zz",
    "file://[", "file:", "file:/", "file://", "file://host/x", "file:///x%00y", "s3://[", "s3://",
    "s3://b", "s3://u:p@b/k", "s3://b/../../k", "abfs://", "abfs://c@", "abfs://[/x",
    "abfs://c@account.dfs.core.windows.net", "abfs://c@account.dfs.core.windows.net/../x",
    "abfs://c:p@account.dfs.core.windows.net/x", "hdfs://u:p@nn/x", "mailto:a@b", "javascript:1",
    "https://h/x.jar", "https://[/x.jar", "file://[/x.jar", "s3://[/x.jar", "file:/x.jar",
)  # fmt: skip
TEXTS = (
    "", " ", "\n", "\0", "a\0b", "a\nb", "a\tb", " a", "a ", "\x1b[31mred", "\u202egnp.exe",
    "a\u200bb", "\ufeffa", "\u2028", "é", "日本", "🙂", "\ud800", "-", "--", "---", "-x", "--x",
    "=", "a=b", "=b", "..", ".", "/", "//", "~", "\\", "a/b", "a,b", ",", "%", "%s", "%n", "{}",
    "{0}", "${x}", "$(x)", "`x`", "|", "<b>", "[x](http://e)", "'", '"', "null", "None", "true",
    "NaN", "[]", "x" * 300, "x" * 5000, "/" + "x" * 300, "/" + "x/" * 4000, "a" * 5000 + ".jar",
    "a.jar", " .jar", "\0.jar", ".rel:f", "sys:exit", "os:system", "a:b", ":f", "a:",
    "[" * 1000 + "]" * 1000, '{"a":' * 300 + "1" + "}" * 300,
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 1.5, -0.0, 1e-320, 1e300, 1e308, -1e308, float("inf"), float("-inf"), float("nan"),
    2**31, 2**63, 2**64, 10**30, 10**400, "0", "-1", "1e400", "inf", "nan", "1e3", "0x10", "1_000",
    "١", "9" * 5000, True, False,
)  # fmt: skip


def odd_value(rng: random.Random, *, only_text: bool = False) -> Any:
    """One odd value: a text, a number, or something of another shape.

    Args:
        rng: Draws it.
        only_text: Only what a command line can hold.
    """
    if only_text:
        return _text(rng).replace("\0", "").replace("\ud800", "")
    return rng.choice((_text, _text, _text, _number, _number, _shape))(rng)


def _text(rng: random.Random) -> str:
    kind = rng.randrange(5)
    if kind == 0:
        return rng.choice(ADDRESSES)
    if kind == 1:
        return rng.choice(TEXTS)
    if kind == 2:
        return str(rng.choice(NUMBERS))
    if kind == 3:  # one that is nearly right
        text = rng.choice(ADDRESSES + TEXTS)
        place = rng.randrange(len(text) + 1)
        return text[:place] + rng.choice(TEXTS) + text[place:]
    length = rng.choice((1, 2, 8, 40))
    return "".join(
        chr(rng.choice((rng.randrange(128), rng.randrange(0xD800)))) for _ in range(length)
    )


def _number(rng: random.Random) -> Any:
    return rng.choice(NUMBERS)


def _shape(rng: random.Random) -> Any:
    inner = rng.choice((_text, _number))(rng)
    deep: Any = inner
    for _ in range(rng.choice((1, 50))):
        deep = [deep]
    return rng.choice(
        (None, [], {}, [inner], [inner, inner], {"a": inner}, {str(inner): "x"}, {"": ""}, deep,
         [None], b"x")
    )  # fmt: skip
