"""What is told of an answer that is not the service's: short, harmless, and without its secrets."""

from __future__ import annotations

import httpx
from hypothesis import example, given
from hypothesis import strategies as st

from flinkglue.gateways import what_answered

SECRET = "hush7f3a"


@given(
    status=st.integers(200, 599),
    body=st.binary(max_size=400) | st.text(max_size=400).map(str.encode),
    server=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300),
    kind=st.sampled_from(["text/html", "text/html; charset=nonsense", "application/json", ""]),
)
@example(200, "<title>\u202egnp.exe\x1b[2J</title>".encode(), "nginx", "text/html")
@example(502, b"<script>" * 50, "", "text/html")
def test_any_answer_becomes_one_short_line(
    status: int, body: bytes, server: str, kind: str
) -> None:
    headers = {"Server": server, "Content-Type": kind} if kind else {"Server": server}
    told = what_answered(httpx.Response(status, content=body, headers=headers))
    assert told.isprintable()
    assert len(told) < 300


@given(
    address=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60)
    | st.from_regex(r"https://[a-z.]{1,10}(:[0-9]{1,6})?/[a-z/]{0,9}", fullmatch=True)
)
@example("https://[::1")
@example("//h")
@example("")
def test_a_redirect_is_told_without_its_query_and_user(address: str) -> None:
    """Whatever stands in Location; it may be no address at all."""
    separator = "&" if "?" in address else "?"
    location = f"{address}{separator}code={SECRET}"
    told = what_answered(httpx.Response(302, headers={"Location": location}))
    assert "redirects to" in told
    assert SECRET not in told
    with_user = location.replace("https://", f"https://me:{SECRET}@")
    assert SECRET not in what_answered(httpx.Response(302, headers={"Location": with_user}))
