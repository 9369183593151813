"""What users read is written in the terms of AWS, Azure, Flink and Prefect, short and active.

Users read log lines, errors, parameter descriptions, forms, pages and the documentation. Comments
and docstrings that only developers read are free.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BANNED = {
    r"tell|tells|telling|told": "say, show, report",
    r"saw": "observed, found",
    r"bear|bears|bearing|bore|borne|bearable": "tolerate",
    r"asked": "requested, or name who called what",
    r"look|looks|looked|looking|not looked at": "check, poll, read, search (look up is fine)",
    r"hindsight": "from history",
    r"to be had|cannot be had|can be had": "available",
    r"surely": "name what is known",
    r"what becomes(?: of)?|becomes? of": "happens to",
    r"(?:left|leaves?|leaving) (?:\w+ ){0,3}alone": "on cooldown, skipped, not changed",
    r"honest|honestly": "say what is checked",
    r"really happened": "done",
    r"passing reason": "temporary failure",
    r"rights": "permissions",
    r"mend|mends|mended|mending": "fix, correct",
    r"beside": "next to, in addition to",
    r"once more": "again",
    r"anew": "again, new",
    r"(?<!failed[- ])lately": "recently",
    r"as published": "as in the AWS blog post, as in the Azure how-to",
    r"want of": "without",
    r"hindrances?": "reason, blocker",
    r"taken for": "counts as",
    r"way back": "rollback target, rollback",
    r"(?:a|no|each|every) person (?:has|must|decides)": "manual step, you",
    r"lest|hence|thereof|whereupon": "so, then",
    r"for a while": "say how long",
    r"(?:good|bad) spec": "last_stable_spec",
    r"carry out|carries out|carried out|carrying out": "execute, run",
    r"lie|lies|lay": "is in, is stored",
    r"wanted|wants": "required, requested, needs",
    r"for good": "permanently",
    r"for ever": "endlessly",
    r"give up|gives up|giving up|given up|gave up": "discard, stop, end",
    r"(?:of|was) before": "earlier, previous",
    r"held to be": "counts as",
    r"until then|that window|what is meant": "name the time or the thing",
    r"how often retried|one verb": "with its retry policy",
    r"in place of": "instead of",
    r"seen through": "completed",
    r"must be dead": "dead",
    r"(?:go|goes|went|gone|going) on": "continue, resume, keep running",
    r"under way": "in progress",
    r"lives|lived": "is live, is alive, runs",
    r"stands?(?! for|-)|stood": "is, is in, is in front of",
    r"of (?:its|their|your|his|one's) own(?! (?:time|account))": "its own, separate, additional",
    r"those (?:that|which)": "name the things",
    r"(?:for|in) numbers": "many, counts",
    r"story|stories": "each step, what happened",
    r"quicker": "faster",
    r"somebody else": "someone else",
    r"(?:that|which) is there": "existing",
    r"is there already": "exists already",
    r"(?:'s|the) word (?:is taken|of (?:ARM|Flink|Glue|the))": "what it reports",
    r"so many|for so long": "how many, that long",
    r"hears?|heard": "receives, accepts",
    r"as ever|half ?way|of no use|in vain": "say what happens",
    r"(?:is|are|be|was) put back": "restored",
    r"tak(?:e|es|en) back": "undone, removed",
    r"to be seen|cannot be seen|(?:was|were) never seen|is seen for": "observed, known",
    r"None: (?:any|all|no)\b.*": "Empty: all",
    r"any\s+more": "no longer",
    r"br(?:ings?|inging|ought) (?:\w+ ){0,3}back": "restore, restart, relaunch",
    r"is no (?:JSON|page|object|name|number|address|jar|program)\b": "is not a, is neither a nor a",
    r"can be counted on": "can hold a run, is enough for, name what it can do",
}
"""What is not written, as words, and what to write for it."""
BANNED_OF_FLINK = re.compile(r"\bc[ao]mes? to run\b", re.IGNORECASE)
"""Write reach RUNNING."""
NAME_IN_BRACKETS = re.compile(r"(?<!\?P)(?<!\\g)<[A-Za-z][\w -]*>")
"""`jar/<name>`; not a group of a pattern."""
FINE = re.compile(r"\blook(?:s|ed|ing)? (?:\w+ ){0,2}up\b", re.IGNORECASE)
WORDS = re.compile(rf"\b(?:{'|'.join(BANNED)})\b", re.IGNORECASE)

BANNED_NAMES = {
    "asked": "requested",
    "asks": "requests",
    "bear": "tolerate",
    "had": "observed, kept",
    "saw": "observed",
    "seen": "observed",
    "tell": "emit, report",
    "told": "reported, recorded, observed",
    "wanted": "desired, spec",
}
"""Words that no name of the code of Flink's side has, and what it has instead."""

FLINK_ROOMS = ("lifecycle", "azure", "flink")
CODE = sorted(
    path
    for folder in ("blocks", "examples", "flows", "infra", "localcloud", "scripts", "src", "tasks")
    for path in (ROOT / folder).rglob("*.py")
    if "jobs" not in path.parts  # what an emulated service says
)
FLINK = [
    path
    for path in CODE
    if path.is_relative_to(ROOT / "infra/flink")
    or any(path.is_relative_to(ROOT / "src/flinkglue" / name) for name in FLINK_ROOMS)
    or (path.parent == ROOT / "tasks" and path.name.startswith(("azure", "flink")))
]
TEXTS = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(p for name in ("docs", "deployments", "ci") for p in (ROOT / name).rglob("*.y*ml")),
    *(
        ROOT / name
        for name in ("README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md", "prefect.yaml")
    ),
]
NAMES = re.compile(
    r"(?:^|_)(?:way_back|good_spec|carry_out|hindsight|saw|bears?|bearable|tells?|surely)(?:_|$)"
)
PLURAL = re.compile(r" (?:\w+ ){0,2}[a-z]+s\b")
FAILURE_CLASS = re.compile(r"failure_class\.value|\{[^{}]*failure_class\}")
PICTURES = sorted((ROOT / "docs").rglob("*.svg"))


def banned_in(text: str) -> list[str]:
    return WORDS.findall(FINE.sub("", text))


def user_texts(source: str, *, shows_module: bool = False) -> Iterator[tuple[int, str]]:
    """The sentences of a module that users may read, each with its line.

    Args:
        source: The module.
        shows_module: Whether its docstring is the help of a command.
    """
    tree = ast.parse(source)
    hidden = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            shown = shows_module if isinstance(node, ast.Module) else is_form(node)
            docstrings = [
                each.value
                for each in node.body
                if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
            ]
            hidden |= set() if shown else {id(each) for each in docstrings}
        elif isinstance(node, ast.JoinedStr):
            hidden |= {id(each) for each in node.values if isinstance(each, ast.Constant)}
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values]
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = re.sub(r"^ +\w+:", "", node.value, flags=re.MULTILINE)  # names of parameters
            yield node.lineno, re.sub(r"\{[^{} ]*\}", "…", text)


def names(source: str) -> Iterator[tuple[int, str]]:
    """The names that a module gives: of functions, classes, parameters, variables, attributes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def counts(source: str) -> Iterator[tuple[int, str]]:
    """Texts that count something in the plural, whatever there is: `… of 3 jobs` may stay."""
    for node in ast.walk(ast.parse(source)):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for before, part, after in zip(["", *parts], parts, parts[1:], strict=False):
            counted = isinstance(part, ast.FormattedValue) and ast.unparse(part.value)
            text = str(getattr(after, "value", ""))
            share = str(getattr(before, "value", "")).endswith(" of ")
            many = counted and (counted.startswith("len(") or text.startswith(" times"))
            if many and not share and PLURAL.match(text):
                yield node.lineno, f"{counted}{text}"


def is_form(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether Prefect shows its docstring: a flow, a block, a model of what a form takes."""
    named = node.bases if isinstance(node, ast.ClassDef) else node.decorator_list
    names = {ast.unparse(each).partition("(")[0] for each in named}
    return bool(names & {"flow", "form_flow", "Block", "BaseModel", "FormGroup", "RunInput"})


def is_sentence(text: str) -> bool:
    """Names, keys and patterns have no blank."""
    return " " in text.strip()


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a page without code, addresses and names in back quotes."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        if not fenced:
            yield number, re.sub(r"`[^`]*`|\]\([^)]*\)|https?://\S+", "…", line)


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_in_code_use_the_fields_terms(path: Path) -> None:
    source = path.read_text()
    texts = user_texts(source, shows_module="__doc__" in source)  # as the help of a command
    found = [
        f"{path.relative_to(ROOT)}:{line}: {', '.join(banned)}: {text!r}"
        for line, text in texts
        if is_sentence(text) and (banned := banned_in(text))
    ]
    assert not found, "\n".join(found)


def test_no_text_of_a_flow_run_has_a_name_in_angle_brackets() -> None:
    """The page v1 shows it as HTML, in which such a name is not seen."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in CODE
        if path.relative_to(ROOT).parts[0] in ("blocks", "flows", "src", "tasks")
        for line, text in user_texts(path.read_text())
        if NAME_IN_BRACKETS.search(text)
    ]
    assert not found, "\n".join(found)


def test_one_is_counted_in_the_singular() -> None:
    """`flinkglue.texts.counted` does so."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in CODE
        if path.parent.name in ("flows", "tasks")  # others count where there are several
        for line, text in counts(path.read_text())
    ]
    assert not found, "\n".join(found)


def test_no_text_shows_the_decision_of_the_table_of_failures() -> None:
    """`fail over`, `wait` and `stop` are in results and events; a page says what was done then."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in CODE
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if FAILURE_CLASS.search(line) and '"failure_class":' not in line
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", FLINK, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_in_code_use_the_fields_terms(path: Path) -> None:
    """Keys of stored documents keep the words of the version that wrote them first."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for line, name in names(path.read_text())
        if BANNED_NAMES.keys() & set(name.lower().split("_"))
    ]
    assert not found, "\n".join(found)


def test_texts_about_flink_say_what_resumes() -> None:
    flows = [path for path in CODE if path.parent.name == "flows" and "flink" in path.name]
    texts = [
        (path, line, text)
        for path in [*FLINK, *flows]
        for line, text in user_texts(path.read_text())
        if is_sentence(text)
    ]
    pages = [path for path in TEXTS if path.name.startswith("flink-") and "how-to" in path.parts]
    texts += [(path, *line) for path in pages for line in prose(path.read_text())]
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text!r}"
        for path, line, text in texts
        if BANNED_OF_FLINK.search(text)
    ]
    assert pages
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_use_the_fields_terms(path: Path) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {', '.join(banned)}: {line}"
        for number, line in prose(path.read_text())
        if (banned := banned_in(line))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_pictures_use_the_fields_terms(path: Path) -> None:
    texts = re.findall(r"<(?:text|title)\b[^>]*>([^<]*)", path.read_text())
    assert texts
    assert [text for text in texts if banned_in(text)] == []


def test_names_in_code_are_those_of_the_field() -> None:
    """What a name says is read in logs, tracebacks and results, too."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {name}"
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        for name in names_of(node)
        if NAMES.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    ]
    assert not found, "\n".join(found)


def names_of(node: ast.AST) -> list[str]:
    """What a node gives a name to."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
        return [node.id if isinstance(node, ast.Name) else node.attr]
    return []


@pytest.mark.parametrize("name", ["way_back", "good_spec", "carry_out", "tell_it", "InHindsight"])
def test_a_name_of_no_field_would_be_found(name: str) -> None:
    assert NAMES.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())


def test_the_check_reads_what_users_read_and_nothing_else() -> None:
    """Errors, log lines and forms, also in pieces; no keys, no docstrings for developers."""
    source = '''
"""Tells developers something."""
import logging

@flow
def run(name: str) -> None:
    """Tell what becomes of a job."""
    logging.info("Connection %s is left " "alone for a while", name)
    log.warning("It goes on: the launch is under way, in a process of its own")
    raise LookupError(f"it {name} saw")

def look() -> str:
    """It looks."""
    return {"asked": "{job.told}"}["asked"]

class Options(FormGroup):
    """What happens when nobody waits any more."""
'''
    texts = [text for _, text in user_texts(source) if is_sentence(text)]
    assert [banned_in(text) for text in texts] == [
        ["Tell", "what becomes of"],
        ["any more"],
        ["left alone", "for a while"],
        ["goes on", "under way", "of its own"],
        ["saw"],
    ]
