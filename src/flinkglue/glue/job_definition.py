"""What a Glue job should be, in Glue's own names. Pure.

A definition names the settings that it cares about; those that it leaves out stay as they are in
the account, and one that is null is removed.
https://docs.aws.amazon.com/glue/latest/webapi/API_JobUpdate.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from flinkglue.errors import InvalidInput

FIELD = "definition"
NEEDED_TO_CREATE = ("Role", "Command")
STRUCTURES = frozenset(
    {"Command", "Connections", "ExecutionProperty", "NotificationProperty", "SourceControlDetails"}
)
"""Settings of which a definition may give some members; of a map such as DefaultArguments, all."""
READ_ONLY = frozenset({"CreatedOn", "LastModifiedOn", "ProfileName", "AllocatedCapacity"})
"""What GetJob shows besides, so that a job that was read can be used as a definition."""


@dataclass(frozen=True)
class JobDefinition:
    """A job's settings as a person keeps them under version control.

    Args:
        settings: Members of Glue's JobUpdate structure; None removes one.
        tags: Tags of the job; None removes one, and those that are not named stay.
    """

    job_name: str
    settings: Mapping[str, Any]
    tags: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], members: Collection[str]) -> JobDefinition:
        """From JSON: ``Name``, optional ``Tags``, and members of JobUpdate.

        Args:
            members: The members of the loaded service model's JobUpdate structure.

        Raises:
            InvalidInput: ``Name`` is missing, a member is not one of Glue's or has another form,
                or ``Tags`` has a value that is no text.
        """
        settings = {name: value for name, value in document.items() if name not in READ_ONLY}
        job_name, tags = settings.pop("Name", None), settings.pop("Tags", None)
        if not isinstance(job_name, str) or not job_name.strip():
            raise InvalidInput(f"{FIELD}.Name", job_name, "the name of the job")
        for name, value in settings.items():
            if name not in members:
                raise InvalidInput(f"{FIELD}.{name}", "a setting", _known(name, members))
            if name in STRUCTURES and not isinstance(value, Mapping | None):
                raise InvalidInput(f"{FIELD}.{name}", type(value).__name__, "an object, or null")
        return cls(job_name, settings, _tags({} if tags is None else tags))

    def without(self, name: str) -> JobDefinition:
        """The same without a setting, which then stays as it is."""
        rest = {known: value for known, value in self.settings.items() if known != name}
        return replace(self, settings=rest)

    def given(self) -> dict[str, Any]:
        """What it sets, without what it removes."""
        return {
            name: {key: inner for key, inner in value.items() if inner is not None}
            if name in STRUCTURES
            else value
            for name, value in self.settings.items()
            if value is not None
        }

    def with_script(self, location: str) -> JobDefinition:
        """The same job running the script at this address."""
        command = {**(self.settings.get("Command") or {}), "ScriptLocation": location}
        return replace(self, settings={**self.settings, "Command": command})

    def check_creatable(self) -> None:
        """Make sure that a job can be created from it.

        Raises:
            InvalidInput: A setting that every job needs is missing.
        """
        for name in NEEDED_TO_CREATE:
            if not self.settings.get(name):
                raise InvalidInput(
                    f"{FIELD}.{name}", None, f"a value: job {self.job_name} does not exist yet"
                )
        if not self.settings["Command"].get("ScriptLocation"):
            raise InvalidInput(
                f"{FIELD}.Command.ScriptLocation",
                None,
                "the address of the script, or a script to upload",
            )


def _tags(tags: Any) -> Mapping[str, str | None]:
    if not isinstance(tags, Mapping):
        raise InvalidInput(f"{FIELD}.Tags", "no object", 'an object, such as {"team": "orders"}')
    for name, value in tags.items():
        if not isinstance(value, str | None):
            raise InvalidInput(f"{FIELD}.Tags.{name}", type(value).__name__, "a text, or null")
    return tags


def _known(name: str, members: Collection[str]) -> str:
    close = get_close_matches(name, members, n=3)
    if close:
        return f"members of Glue's JobUpdate; did you mean {' or '.join(close)}?"
    return f"members of Glue's JobUpdate: {', '.join(sorted(members))}"
