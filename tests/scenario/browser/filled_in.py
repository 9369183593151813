"""What a person fills in to run a deployment, and what the pages show then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from scripts.site.schema_form import SchemaForm
from tests.scenario.browser.prefect_ui import RunForm

FillIn = Callable[[RunForm], None]


@dataclass(frozen=True)
class Refusal:
    """A value that is refused before there is a run.

    Args:
        name: The field.
        value: What is typed.
        instead: What is typed then.
        by_server: What the server says.
        by_browser: What the browser says of a number in v2; empty: it says nothing.
    """

    name: str
    value: object
    instead: object
    by_server: str
    by_browser: str = ""

    def check(self, form: RunForm) -> None:
        """Type it, submit it, and type another one."""
        form.fill(self.name, self.value)
        form.is_refused(self.name, self.by_browser, self.by_server)
        form.fill(self.name, self.instead)


@dataclass(frozen=True)
class Question:
    """What the run asks on its page.

    Args:
        text: A part of it.
        fill_in: Fills the answer in.
    """

    text: str
    fill_in: Callable[[SchemaForm], None]


@dataclass(frozen=True)
class FilledIn:
    """A deployment that is run from its form.

    Args:
        deployment: Its name.
        refused: A field in which a value is refused.
        fill_in: Fills the other fields in.
        flow_run: The name of the flow run.
        message: A part of its final state's message.
        tasks: Names of its task runs, or how they begin.
        artifacts: What its artifacts say when they are opened, by how their keys begin.
        picker: A field for a block, the kind of block that it lists, and the block.
        question: What it asks; None: nothing.
        row: Its job's row on the page of all jobs: the key of that page, the job, a text of it.
        after: The runs that must have ended before, by their keys.
        key: Tells it from another run of the deployment.
    """

    deployment: str
    refused: Refusal
    fill_in: FillIn
    flow_run: str
    message: str
    tasks: Sequence[str] = ()
    artifacts: Mapping[str, str] = field(default_factory=dict)
    picker: tuple[str, str, str] | None = None
    question: Question | None = None
    row: tuple[str, str, str] | None = None
    after: Sequence[str] = ()
    key: str = ""

    @property
    def title(self) -> str:
        """What others wait for."""
        return self.key or self.deployment
