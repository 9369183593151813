"""How far a flow run's claims are, in the words of `flinkglue.glue.coordination.claims`."""

from __future__ import annotations

from flinkglue.glue.coordination.claims import Claims, of_flow_run

_STATES = {(True, False): "placed", (True, True): "starting", (False, True): "started"}


def states_of(claims: Claims, flow_run_id: str) -> list[str]:
    """The state of each run key of which anything is recorded."""
    reserved = {each.run_key for each in of_flow_run(flow_run_id, claims.reservations())}
    started = {each.run_key for each in claims.starts_of(flow_run_id)}
    return [_STATES[key in reserved, key in started] for key in sorted(reserved | started)]
