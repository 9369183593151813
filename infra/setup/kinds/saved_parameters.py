"""Parameters that a deployment saved for an earlier form of its flow, as its form is now. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from flinkglue.errors import InvalidInput
from infra.setup.schema_check import why_refused

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Placed:
    """What of a deployment's body is to be otherwise, and what its form refuses, by parameter."""

    body: Mapping[str, Any]
    refused: Mapping[str, InvalidInput]

    def check(self, name: str, source: str, given: Container[str]) -> None:
        """Refuse what the form does not take, unless its path is among those that are given.

        Raises:
            InvalidInput: Names the parameter, and the deployment that has it.
        """
        for parameter, error in self.refused.items():
            if f"parameters.{parameter}" not in given:
                raise InvalidInput(
                    f"deployments.{name}.parameters.{parameter}",
                    error.value,
                    f"{error.allowed}. It is saved in the deployment {source}: change it there, "
                    "or name the parameter in the file; then repeat the command",
                )


@dataclass(frozen=True)
class SavedParameters:
    """Those of a flow.

    Args:
        places: Moves parameters of before to where the flow has them now.
        schema: That of the flow's form.
    """

    places: Callable[[Parameters], dict[str, Any]]
    schema: Parameters

    def placed(self, raw: Mapping[str, Any]) -> Placed:
        """The parameters of a deployment and of its schedules.

        Nulls that the form does not take are left out, which is what they mean.
        """
        saved = raw.get("parameters") or {}
        now, refused = self._now(saved)
        schedules = []
        for each in raw.get("schedules") or ():
            own = each.get("parameters") or {}
            of_schedule, refused_there = self._of_schedule(own, saved, now) if own else ({}, {})
            refused = {**refused_there, **refused}
            schedules.append({**each, "parameters": of_schedule})
        body: dict[str, Any] = {} if now == saved else {"parameters": now}
        if any(
            (each.get("parameters") or {}) != after["parameters"]
            for each, after in zip(raw.get("schedules") or (), schedules, strict=True)
        ):
            body["schedules"] = schedules
        return Placed(body, refused)

    def _now(self, saved: Parameters) -> tuple[dict[str, Any], dict[str, InvalidInput]]:
        try:
            placed = self.places(saved)
        except InvalidInput as error:
            return dict(saved), {error.field: error}
        found, refused = {}, {}
        for name, value in placed.items():
            if name not in self.schema.get("properties", {}):
                found[name] = value  # a flow run says that there is none
            elif not self._why_refused(name, value):
                found[name] = value
            elif value is not None:
                found[name] = _without_nulls(value)
                if why := self._why_refused(name, found[name]):
                    refused[name] = InvalidInput(name, value, f"what the form takes: {why}")
        return found, refused

    def _of_schedule(
        self, own: Parameters, saved: Parameters, now: Parameters
    ) -> tuple[dict[str, Any], dict[str, InvalidInput]]:
        """Prefect puts them over the deployment's: a group replaces the deployment's as a whole."""
        after, refused = self._now({**saved, **own})
        return {
            name: value
            for name, value in after.items()
            if name in own or name not in now or now[name] != value
        }, refused

    def _why_refused(self, name: str, value: Any) -> str:
        """Empty: the form takes it. As for a creation, for which the server adds no nulls to it."""
        if _is_filled_in(value):
            return ""
        return why_refused(name, value, self.schema, preprocess=False)


def _is_filled_in(value: Any) -> bool:
    """Whether the server fills in a template, a variable or a block before it checks it."""
    if isinstance(value, Mapping):
        if "__prefect_kind" in value or value.keys() == {"$ref"}:
            return True
        return any(_is_filled_in(each) for each in value.values())
    return isinstance(value, list) and any(_is_filled_in(each) for each in value)


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: _without_nulls(each) for key, each in value.items() if each is not None}
