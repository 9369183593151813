"""What the site has beyond docs/: pages made from the code, and files that pages name.

The links of a page in docs/ lead to files of the checkout, so that they work where the sources are
read. In the site, documents of the top folder are pages below project/, other files are copied to
files/, and a link to code becomes its text with the path as a tooltip.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(ROOT))  # MkDocs loads this file by its path

from scripts.site.blocks import blocks_page  # noqa: E402
from scripts.site.commands import commands_page  # noqa: E402
from scripts.site.events import events_page  # noqa: E402
from scripts.site.parameters import parameters_page  # noqa: E402
from scripts.site.state_diagram import draw  # noqa: E402

PAGES = {
    "reference/parameters.md": parameters_page,
    "reference/blocks.md": blocks_page,
    "reference/events.md": events_page,
    "reference/cli.md": commands_page,
}
"""Made from the code, each time."""
PROJECT = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
"""Documents of the top folder that are pages of the site."""
COPIED = {".json", ".yaml", ".yml", ".toml", ".lock", ".sql", ""}
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
FENCE = re.compile(r"^(```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)
MERMAID = re.compile(r"^```mermaid\n(stateDiagram-v2\n.*?)^```$", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages made from the code, the project's documents, and the files that pages name."""
    for path, page in PAGES.items():
        files.append(File.generated(config, path, content=page()))
    for name in PROJECT:
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, f"project/{name}", content=text))
    for path in sorted(_named_files(files)):
        content = (ROOT / path).read_bytes()
        files.append(File.generated(config, f"files/{path}", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Makes links into the checkout links of the site, and draws the state diagram."""
    here = PurePosixPath(page.file.src_uri)
    markdown = MERMAID.sub(lambda found: draw(found[1]), markdown)
    parts = FENCE.split(markdown)
    return "".join(
        part if part.startswith("```") else LINK.sub(lambda link: _rewritten(link, here), part)
        for part in parts
    )


def _rewritten(link: re.Match[str], here: PurePosixPath) -> str:
    source = _in_checkout(link["target"], here)
    if source is None:
        return link[0]
    place = _place(source)
    if place is None:
        text = link["text"] if link["text"].startswith("`") else f"`{link['text']}`"
        return f'{text}{{ title="{source}" }}'
    target = os.path.relpath(place, here.parent)
    return f"[{link['text']}]({target}{link['anchor'] or ''})"


def _in_checkout(target: str, here: PurePosixPath) -> str | None:
    """The path from the top folder to what a link names; None for an address or an anchor."""
    if re.match(r"[a-z]+:|#|/", target):
        return None
    start = PurePosixPath() if here.parts[0] == "project" else "docs" / here.parent
    path = os.path.normpath(start / target)
    return path if (ROOT / path).exists() else None


def _place(source: str) -> str | None:
    """Where a file of the checkout is in the site; None: nowhere."""
    path = PurePosixPath(source)
    if path.parts[0] == "docs" and path.parts[1:2] != ("automations",):
        return str(path.relative_to("docs"))
    if source in PROJECT:
        return f"project/{source}"
    if source == "README.md":
        return "index.md"
    if path.suffix in COPIED and (ROOT / source).is_file():
        return f"files/{source}"
    return None


def _named_files(files: Files) -> Iterator[str]:
    """The paths of the checkout's files that a page links to and that are copied."""
    found: set[str] = set()
    for file in files.documentation_pages():
        here = PurePosixPath(file.src_uri)
        for link in LINK.finditer(FENCE.sub("", file.content_string)):
            source = _in_checkout(link["target"], here)
            if source and (_place(source) or "").startswith("files/"):
                found.add(source)
    yield from found
