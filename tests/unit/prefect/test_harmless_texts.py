"""Texts from outside in logs, errors and pages: they show what they hold, and do nothing."""

from __future__ import annotations

import logging
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flinkglue import markdown
from flinkglue.errors import CallFailed, InvalidInput, JobFailed
from flinkglue.prefect.run_log import HarmlessLog
from flinkglue.texts import is_plain, one_line, printable, without_credentials

ATTACKS = st.lists(
    st.sampled_from(
        [
            *("[x](http://e.vil)", "![i](http://e.vil/i.png)", "<img src=x>", "<!-- ", "--> "),
            *("| a | b |", "\n| --- | --- |\n", "\n\n# H\n", "```", "``", "`", "\n- x", "\n1. x"),
            *("\\", "\\|", "\\\\|", "*b*", "__b__", "~~s~~", "&#91;", "&lt;", "http://e.vil", "\t"),
            *("www.e.vil", "a@e.vil", "\n[x]: http://e.vil\n", "[x]", "\x1b[31m", "\u202e", "\r\n"),
            *("javascript:alert(1)", "\n===", "\n---\n", "\n> q", "    code", "<a href=x>", "]("),
        ]
    )
    | st.text(max_size=5),
    max_size=8,
).map("".join)
RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# What GitHub's Markdown makes a link of without any brackets.
AUTOLINK = re.compile(r"(?<![\w\\])(?:(?:https?|ftp)://|www\.)|[\w.+-]+@[\w-]+\.\w", re.IGNORECASE)
MADE_OF = {"paragraph_open", "paragraph_close", "inline", "text", "text_special"}
IN_TABLE = MADE_OF | {
    f"{part}_{end}"
    for part in ("table", "thead", "tbody", "tr", "th", "td")
    for end in ("open", "close")
}


def kinds_in(page: str) -> set[str]:
    tokens = RENDERER.parse(page)
    return {each.type for token in tokens for each in [token, *(token.children or ())]}


def shown(page: str) -> str:
    """What a reader reads of it."""
    tokens = RENDERER.parse(page)
    return "".join(each.content for token in tokens for each in token.children or ())


def as_read(text: str) -> str:
    """The text in one line as a browser shows it: blanks at the edges are none."""
    return one_line(text).strip(" ")


@given(ATTACKS)
def test_a_text_on_a_page_is_read_as_it_is(text: str) -> None:
    """No link, image, HTML, list, heading or emphasis comes of it."""
    page = markdown.text(text)
    assert kinds_in(page) <= MADE_OF
    assert " ".join(shown(page).split()) == " ".join(as_read(text).split())
    assert not AUTOLINK.search(page)


@given(st.lists(st.tuples(ATTACKS, ATTACKS), min_size=1, max_size=4))
def test_a_table_keeps_its_rows_and_cells(rows: list[tuple[str, str]]) -> None:
    """Also with code in it."""
    cells = [(markdown.code_span(one), other) for one, other in rows]
    page = markdown.table(("code", "text"), cells)
    tokens = [token.type for token in RENDERER.parse(page)]
    assert set(tokens) <= IN_TABLE
    assert tokens.count("tr_open") == len(rows) + 1
    assert tokens.count("td_open") == 2 * len(rows)
    assert kinds_in(page) <= IN_TABLE | {"code_inline"}
    assert not AUTOLINK.search(re.sub(r"(`+) ?.*? ?\1(?!`)", "", page))


@given(ATTACKS)
def test_every_other_piece_of_a_page_holds_its_text(text: str) -> None:
    """Lists, quotes, headings, links and code."""
    inline = MADE_OF | {"softbreak", "hardbreak"}
    lists = {f"{part}_{end}" for part in ("ordered_list", "list_item") for end in ("open", "close")}
    quotes = {"blockquote_open", "blockquote_close"}
    assert kinds_in(markdown.numbered([text, text])) <= inline | lists
    assert kinds_in(markdown.quoted(text)) <= inline | quotes
    assert kinds_in(markdown.heading(2, text)) <= MADE_OF | {"heading_open", "heading_close"}
    assert kinds_in(f"a\n\n{markdown.code([text])}") <= MADE_OF | {"code_block"}
    assert kinds_in(markdown.fenced(text, "json")) == {"fence"}
    linked = RENDERER.parse(markdown.link(text, f"https://h/{text}"))
    urls = [
        str(each.attrs["href"])
        for token in linked
        for each in token.children or ()
        if each.type == "link_open"
    ]
    assert len(urls) == 1
    assert urls[0].startswith("https://h/")
    assert kinds_in(markdown.link(text, f"javascript:{text}")) <= MADE_OF


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    """But line ends and tabs; what is shown can be encoded; done again it stays."""
    made = printable(text)
    left = {unicodedata.category(each) for each in made if each not in "\n\t"}
    assert not left & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(made) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200e\u200f\u200b\ufeff")
    made.encode()
    assert printable(made) == made
    assert is_plain(one_line(text))


@pytest.mark.parametrize(
    "text",
    [
        "GET https://user:hunter2@host/x failed",
        "s3://b/k?X-Amz-Signature=hunter2&x=y",
        "https://a.blob.core.windows.net/c/b?se=2&sig=hunter2",
        "Illegal header value b'Bearer hunter2hunter2'",
    ],
)
def test_errors_and_logs_hold_no_credentials_of_addresses(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Services and libraries repeat what they were called with."""
    errors = [
        CallFailed("S3", "GetObject", text, text),
        JobFailed(text),
        InvalidInput("f", text, ""),
    ]
    with caplog.at_level(logging.INFO):
        HarmlessLog(logging.getLogger("t")).info("line: %s", text)
    told = [*map(str, errors), *map(repr, errors), caplog.text, without_credentials(text)]
    assert [each for each in told if "hunter2" in each] == []


def test_a_log_line_is_harmless(caplog: pytest.LogCaptureFixture) -> None:
    """A terminal acts on nothing in it, and a text with a percent sign is one."""
    log = HarmlessLog(logging.getLogger("t"))
    with caplog.at_level(logging.INFO):
        log.info("50%s \x1b[2J")
        log.warning("%s and %d", "\u202egnp", 3)
        log.info("%(name)s", {"name": "by name\r\n"})
        log.debug("%s", "not shown")
    assert caplog.messages == ["50%s \\x1b[2J", "\\u202egnp and 3", "by name\n"]


def test_an_error_is_harmless_wherever_it_is_printed() -> None:
    """Flink's, Glue's and ARM's words stand in it."""
    error = CallFailed("Flink", "GET /jobs", "orders", "Caused by: \x1b[31m\u202eboom\nat x")
    assert "\\x1b[31m\\u202eboom\nat x" in str(error)
    assert is_plain(str(InvalidInput("job_name", "\x1b[31m\n", "a name")))
