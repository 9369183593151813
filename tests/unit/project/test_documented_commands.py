"""The commands that documents show exist: each program, module, option and file that they name."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from cyclopts.exceptions import CycloptsError
from prefect.cli._app import _app as prefect_command
from prefect.flows import load_flow_from_entrypoint
from prefect.settings import Settings
from prefect.settings.legacy import _get_valid_setting_names

from scripts.site.commands import MODULES, help_of, verbs_of

ROOT = Path(__file__).resolve().parents[3]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
BLOCK = re.compile(r"^( *)```sh\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(r"\w+=")
OTHERS = {"az", "cd", "cp", "export", "npm", "pip", "pre-commit", "rm"}
"""Programs of others, and the shell's words."""
SHORT = {"flink": ["-m", "infra.flink_action"]}
"""Functions that a page defines for its reader."""
PYTHON = {"python", "python3", ".venv/bin/python"}
ENDS = {"&&", "|", ";", "||"}


def commands_in(page: str) -> Iterator[list[str]]:
    """The commands of a page's shell blocks, word by word."""
    for block in BLOCK.finditer(page):
        text = re.sub(r"<[\w -]+>", "VALUE", block[2])  # what the reader fills in
        text = re.sub(r"^\w+\(\) \{ (.*?);? \}$", r"\1", text, flags=re.MULTILINE)
        pending = ""
        for line in text.replace("\\\n", " ").splitlines():
            pending += line + "\n"
            try:
                words = words_of(pending)
            except ValueError:  # a quotation that goes on in the next line
                continue
            pending = ""
            yield from commands_of(words)


def words_of(line: str) -> list[str]:
    """As a shell divides it, with its operators."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    return list(lexer)


def commands_of(words: list[str]) -> Iterator[list[str]]:
    """The commands of a line, which operators divide."""
    command: list[str] = []
    for word in [*words, ";"]:
        if word in ENDS:
            yield from without_variables(command)
            command = []
        else:
            command.append(word)


def without_variables(command: list[str]) -> Iterator[list[str]]:
    """The command without what stands before it, and without where its output goes."""
    while command and VARIABLE.match(command[0]):
        command = command[1:]
    if command:
        end = next((place for place, word in enumerate(command) if set(word) & set("<>")), None)
        yield command[:end]


def fault(command: list[str]) -> str | None:
    """Why a command cannot be run; None: it can, as far as it is known here."""
    program, *arguments = command
    if program in SHORT:
        program, arguments = "python", [*SHORT[program], *arguments]
    if program in {".", "source"}:
        return None if arguments == [".venv/bin/activate"] else f"no such file {arguments}"
    if program in PYTHON and arguments[:1] == ["-m"]:
        return module_fault(arguments[1], arguments[2:])
    if program == "prefect":
        return prefect_fault(arguments)
    if program.startswith("scripts/"):
        return None if os.access(ROOT / program, os.X_OK) else "no such script"
    return None if program in OTHERS or program.startswith("$") else "unknown program"


def module_fault(module: str, arguments: list[str]) -> str | None:
    if importlib.util.find_spec(module) is None:
        return "no such module"
    if module not in MODULES:
        return None
    verbs = [word for word in arguments if word in verbs_of(module)][:1]
    first = next((word for word in arguments if not word.startswith("-")), None)
    if verbs_of(module) and not verbs and "--help" not in arguments:
        return f"no command {first}"
    texts = [help_of(module), *(help_of(module, verb) for verb in verbs)]
    if verbs == ["fault"]:
        return None  # takes words of its parts, which test_fault_arguments.py checks
    usage = " ".join(text.partition("\n\n")[0] for text in texts)  # examples come after it
    known = set(re.findall(r"(?<!\w)--[a-z][\w-]*", usage))
    unknown = [word for word in options(arguments) if word not in known]
    return f"no option {unknown}" if unknown else None


def options(arguments: list[str]) -> Iterator[str]:
    for word in arguments:
        if re.match(r"--[a-z]", word):
            yield word.partition("=")[0]


def prefect_fault(arguments: list[str]) -> str | None:
    """Prefect's own parser says it, and the flow's signature; nothing is called."""
    if arguments[:2] == ["deployment", "run"] and "--params" in arguments:
        given = set(json.loads(arguments[arguments.index("--params") + 1]))
        known, needed = parameters_of(arguments[2].rpartition("/")[2])
        if given - known:
            return f"no parameter {sorted(given - known)}"
        if needed - given:
            return f"lacks the parameter {sorted(needed - given)}"
    try:
        prefect_command.parse_args(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return f"Prefect refuses it: {error}"
    return None


@cache
def parameters_of(deployment: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a run may give, and those of them that it must."""
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    (found,) = [each for each in deployments if each["name"] == deployment]
    schema = load_flow_from_entrypoint(str(ROOT / found["entrypoint"])).parameters
    needed = frozenset(schema.required or ()) - frozenset(found.get("parameters") or ())
    return frozenset(schema.properties), needed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_exists(page: Path) -> None:
    found = [
        f"{shlex.join(command)}: {told}"
        for command in commands_in(page.read_text(encoding="utf-8"))
        if (told := fault(command))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("module", MODULES)
def test_each_command_of_a_help_exists(module: str) -> None:
    """Two blanks and a remark may follow a command; what is in brackets may be left out."""
    helps = [help_of(module), *(help_of(module, verb) for verb in verbs_of(module))]
    lines = re.sub(r"\s*\\\n\s*", " ", "\n".join(helps)).splitlines()
    shown = [line.strip() for line in lines if line.strip().startswith("python -m ")]
    commands = [re.split(r" {2,}", line)[0].translate({91: None, 93: None}) for line in shown]
    found = [
        f"{line}: {why}"
        for line in commands
        for command in commands_of(words_of(line))
        if (why := fault(command))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_setting_of_prefect_exists(page: Path) -> None:
    """Prefect ignores a variable that it does not know."""
    named = set(re.findall(r"\bPREFECT_[A-Z_]+[A-Z]\b", page.read_text(encoding="utf-8")))
    assert named - _get_valid_setting_names(Settings) == set()


def test_many_commands_are_checked() -> None:
    every = [each for page in PAGES for each in commands_in(page.read_text(encoding="utf-8"))]
    assert len([each for each in every if each[0] in {*PYTHON, "prefect"}]) > 50


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("python -m infra.nothing up", "no such module"),
        ("python -m infra.blocks fill", "no command fill"),
        ("python -m infra.glue_sample up --regoin eu-west-1", "no option"),
        ("PREFECT_API_URL=x python -m localcloud up --detached", "no option"),
        ("scripts/none --once", "no such script"),
        ("prefect work-pool make x", "Prefect refuses it"),
        ("prefect worker start --pol flinkglue", "Prefect refuses it"),
        ("cd /tmp && demo", "unknown program"),
        (
            """prefect deployment run glue-job/glue-job --params '{"job": "orders"}'""",
            "no parameter",
        ),
        ("prefect deployment run glue-job/glue-job --params '{}'", "lacks the parameter"),
        ("prefect worker start --pool flinkglue  # in the background", None),
        ("python -m infra.glue_sample policy --region eu-west-1 > policy.json", None),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, told: str | None) -> None:
    faults = [each for each in map(fault, commands_in(f"```sh\n{line}\n```\n")) if each]
    assert told in faults[0] if told else faults == []
