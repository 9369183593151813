"""The file of an environment: what a Prefect server is to have, reviewed like code.

Everything in it is optional. What it does not name stays as people set it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from flinkglue.errors import InvalidInput
from infra.setup.record import WITHOUT_FILE
from infra.setup.yaml_file import read_yaml_file

_Name = Annotated[str, Field(min_length=1, pattern=r"^[^/%&><]+$")]


def _is_not_default(given: str) -> str:
    if given == WITHOUT_FILE:
        raise ValueError(f"another name than {WITHOUT_FILE}, that of a set-up without a file")
    return given


_EnvironmentName = Annotated[
    str, AfterValidator(_is_not_default), Field(pattern=r"^[A-Za-z0-9/][A-Za-z0-9._/-]*$")
]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, given: Any) -> Any:
        """A key that nothing is written after is as good as left out: all below is a comment."""
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            return given
        return {
            key: value
            for key, value in given.items()
            if value is not None or key not in cls.model_fields
        }


class Schedule(_Entry):
    """When a deployment runs: one of cron, interval and rrule."""

    cron: str | None = None
    interval: float | None = Field(default=None, gt=0, description="seconds")
    rrule: str | None = None
    timezone: str | None = None
    day_or: bool | None = None
    anchor_date: str | None = None
    active: bool = True
    parameters: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(each is not None for each in (self.cron, self.interval, self.rrule)) != 1:
            raise ValueError("needs exactly one of cron, interval and rrule")
        self.of_prefect()
        return self

    def of_prefect(self) -> dict[str, Any]:
        """As the API takes it; Prefect's own models check it."""
        given = {
            name: value
            for name in ("cron", "interval", "rrule", "timezone", "day_or", "anchor_date")
            if (value := getattr(self, name)) is not None
        }
        kind = CronSchedule if self.cron else IntervalSchedule if self.interval else RRuleSchedule
        return kind.model_validate(given).model_dump(mode="json", include={*given})


class ConcurrencyLimit(_Entry):
    """How many runs of a deployment there are at a time, and what becomes of one too many."""

    limit: int = Field(ge=1)
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"] = "ENQUEUE"
    grace_period_seconds: int | None = Field(default=None, ge=60, le=86400)


def _as_limit(given: Any) -> Any:
    is_limit = isinstance(given, int) and not isinstance(given, bool)
    return {"limit": given} if is_limit else given


def checked_limit(field: str, given: Any) -> ConcurrencyLimit:
    """A limit as `prefect.yaml` has it: a number, or all of it.

    Raises:
        InvalidInput: It is not one.
    """
    try:
        return ConcurrencyLimit.model_validate(_as_limit(given))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join([field, *map(str, first["loc"])])
        raise InvalidInput(where, given, first["msg"]) from None


class Deployment(_Entry):
    """A deployment of `prefect.yaml`, or a further one of the same flow."""

    description: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    schedules: dict[_Name, Schedule] = Field(default_factory=dict)
    concurrency_limit: Annotated[ConcurrencyLimit | None, BeforeValidator(_as_limit)] = None
    tags: list[str] | None = None
    work_pool: str | None = None
    work_queue: str | None = None
    job_variables: dict[str, Any] = Field(default_factory=dict)
    paused: bool | None = None
    code_directory: str | None = Field(default=None, min_length=1)


class WorkPool(_Entry):
    """A work pool; without a template it is the one that workers of its type have.

    `defaults` are values of the template's job variables, such as the image of containers.
    """

    type: str
    base_job_template: Path | None = None
    defaults: dict[str, Any] = Field(default_factory=dict)
    concurrency_limit: int | None = Field(default=None, ge=0)
    description: str | None = None


class GlobalLimit(_Entry):
    """A global concurrency limit."""

    limit: int = Field(ge=0)
    active: bool = True
    slot_decay_per_second: float = Field(default=0, ge=0)


class Automation(_Entry):
    """An automation in a file of its own, and the block by which it notifies."""

    file: Path
    notify: str | None = Field(default=None, pattern=r"^[a-z0-9-]+/[^/]+$")
    enabled: bool | None = None


class Environment(_Entry):
    """All of it.

    `name` tells its settings from those of other files; left out, it is the file's path.
    `code_directory` is where the code lies for the flow runs; left out, it is this checkout.
    """

    name: _EnvironmentName | None = None
    code_directory: str | None = Field(default=None, min_length=1)
    work_pools: dict[_Name, WorkPool] = Field(default_factory=dict)
    concurrency_limits: dict[_Name, GlobalLimit] = Field(default_factory=dict)
    blocks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    deployments: dict[str, Deployment] = Field(default_factory=dict)
    automations: list[Automation] = Field(default_factory=list)


def read_environment(path: Path | None) -> Environment:
    """The environment in a file; without one, an empty one.

    Raises:
        InvalidInput: The file cannot be read, or a field of it is not allowed. No value is
            repeated: it may be a secret in the wrong place.
    """
    if path is None:
        return Environment()
    document = read_yaml_file("environment", path)
    try:
        return Environment.model_validate({} if document is None else document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(each) for each in first["loc"]) or "environment"
        words = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(field, SecretStr(""), f"{words} (in {path})") from None
