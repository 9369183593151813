"""Answers of what stands before the Prefect server, which are no answers of the server.

A proxy that finds no server behind it may answer 404, as the server does of what is not there, and
a maintenance page may come with 200. By neither is anything known: a record that was not found so
may be there, and a flow run may live.
"""

from __future__ import annotations

from http import HTTPStatus

import httpx
from prefect.client.orchestration import PrefectClient

_WORDED_BY_THE_SERVER = frozenset({"detail", "exception_message"})
"""Each of its refusals is an object with one of these (prefect.server.api.server)."""


def is_of_a_gateway(refusal: httpx.Response) -> bool:
    """Whether a 404, which has been read, is not the server's: nothing is known to be absent."""
    if refusal.status_code != HTTPStatus.NOT_FOUND:
        return False
    body = _json_of(refusal)
    return not isinstance(body, dict) or _WORDED_BY_THE_SERVER.isdisjoint(body)


def is_readable(answer: httpx.Response) -> bool:
    """Whether it is what the server answers to a call that it made: JSON, or nothing at all."""
    return answer.status_code == HTTPStatus.NO_CONTENT or _json_of(answer) is not None


def take_404_of_a_gateway_as_503(answer: httpx.Response) -> None:
    """For `event_hooks` of a client: it is repeated then, and is an outage in the end."""
    if answer.status_code == HTTPStatus.NOT_FOUND:
        answer.read()
        _take_as_unavailable(answer)


async def _take_404_of_a_gateway_as_503(answer: httpx.Response) -> None:
    if answer.status_code == HTTPStatus.NOT_FOUND:
        await answer.aread()
        _take_as_unavailable(answer)


def repeat_404_of_gateways(client: PrefectClient) -> None:
    """Have this client repeat what a gateway answered with 404; called again it does nothing."""
    hooks = client._client.event_hooks["response"]
    if _take_404_of_a_gateway_as_503 not in hooks:
        hooks.append(_take_404_of_a_gateway_as_503)


def _take_as_unavailable(answer: httpx.Response) -> None:
    if is_of_a_gateway(answer):
        answer.status_code = HTTPStatus.SERVICE_UNAVAILABLE


def _json_of(answer: httpx.Response) -> object:
    """None: it is no JSON."""
    try:
        return answer.json()
    except ValueError:
        return None
