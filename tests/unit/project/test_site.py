"""The documentation site: built strictly, without network, and asking nobody for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.site.hooks import PAGES, PROJECT
from scripts.site.state_diagram import EDGE, draw
from tests.unit.project.test_wording import banned_in

ROOT = Path(__file__).resolve().parents[3]
RUNBOOK = ROOT / "docs" / "how-to" / "flink-runbook.md"
LISTS = {"local-cloud-operations.md"}
WRITTEN = [page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name not in LISTS]
DOCUMENTS = [ROOT / name for name in (*PROJECT, "README.md")]
FILE_LINK = re.compile(r"\[`?([\w./-]+\.(?:py|ya?ml|json|md|lock|toml|sql))`?\]\(([^)\s]+)\)")
MOST_WORDS = 2500
# Ends the build at its first connection, whoever makes it.
BUILD = """
import os, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        os.write(2, f"NETWORK {event} {arguments}".encode())
        os._exit(9)

sys.addaudithook(refuse)
from mkdocs.__main__ import cli
cli(["build", "--strict", "--config-file", sys.argv[1], "--site-dir", sys.argv[2]])
"""
FETCHED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?(https?:)?//")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-c", BUILD, str(ROOT / "mkdocs.yml"), str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return directory


def pages(site: Path) -> Iterator[Path]:
    yield from sorted(site.rglob("*.html"))


def test_no_page_fetches_anything_from_outside(site: Path) -> None:
    """Fonts, scripts, styles and pictures lie in the site; links of the text may lead out."""
    found = [
        f"{page.relative_to(site)}: {tag[0]}"
        for page in pages(site)
        for tag in FETCHED.finditer(page.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_every_table_row_is_in_a_table(site: Path) -> None:
    """A blank line inside a table ends it, and the rows below are shown as text."""
    stray = [
        f"{page.relative_to(site)}: {row}"
        for page in pages(site)
        for row in re.findall(r"<p>(\|.{0,60})", page.read_text(encoding="utf-8"))
    ]
    assert not stray, "\n".join(stray)


def test_no_page_is_longer_than_people_read() -> None:
    """Lists that are generated are for searching, and may be; other pages are split by question."""
    lengths = {page: len(page.read_text(encoding="utf-8").split()) for page in WRITTEN}
    assert {page.name: words for page, words in lengths.items() if words > MOST_WORDS} == {}


@pytest.mark.parametrize("name", PAGES)
def test_the_references_are_made_from_the_code(site: Path, name: str) -> None:
    page = (site / name).with_suffix(".html").read_text(encoding="utf-8")
    facts = {
        "reference/parameters.md": ["glue-job", "connection_names", "flink-watch"],
        "reference/blocks.md": ["Flink REST Cluster", "client_secret", "secret"],
        "reference/events.md": ["glue-job.exhausted", "flink-job.degraded"],
        "reference/cli.md": ["--cluster-block", "python -m localcloud", "fill-subnet"],
    }
    assert [fact for fact in facts[name] if fact not in page] == []


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_use_the_fields_terms(site: Path, name: str) -> None:
    """They show what no other check reads: what a developer wrote below a member of an enum."""
    page = (site / name).with_suffix(".html").read_text(encoding="utf-8")
    article = page.partition("<article")[2].partition("</article>")[0]
    lines = re.sub(r"<code>.*?</code>|<[^>]+>", " ", article).splitlines()
    assert [line for line in lines if banned_in(line)] == []


def test_a_page_names_files_of_the_checkout_by_links_that_work(site: Path) -> None:
    page = (site / "how-to" / "permissions.html").read_text(encoding="utf-8")
    assert "../files/infra/iam_policy.json" in page
    assert (site / "files" / "infra" / "iam_policy.json").is_file()
    assert (site / "project" / "SECURITY.html").is_file()


@pytest.mark.parametrize("page", [*WRITTEN, *DOCUMENTS], ids=lambda page: page.name)
def test_a_link_that_is_named_as_a_file_leads_to_it(page: Path) -> None:
    links = FILE_LINK.findall(page.read_text(encoding="utf-8"))
    assert [(name, to) for name, to in links if not to.partition("#")[0].endswith(name)] == []


def test_the_state_diagram_is_drawn_with_each_of_its_actions(site: Path) -> None:
    source = RUNBOOK.read_text(encoding="utf-8").split("```mermaid\n")[1].split("```")[0]
    drawn = (site / "how-to" / "flink-runbook.html").read_text(encoding="utf-8")
    assert "stateDiagram-v2" not in drawn
    labels = {label for *_, each in EDGE.findall(source) for label in each.split(", ")}
    assert len(labels) > 10
    assert [label for label in labels if label not in draw(source)] == []
