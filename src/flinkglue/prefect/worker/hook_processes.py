"""Cancellation hooks in processes of their own, where the worker cannot load their flow now."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from prefect.client.schemas.objects import FlowRun

AT_ONCE = 4
HOOKS_SECONDS = 900.0
"""How long the process may take, which fetches and loads the flow first."""
_PROGRAM = "flinkglue.prefect.hooks.of_a_flow_run"
EnvironmentOf = Callable[[FlowRun], Awaitable[Mapping[str, str]]]


class HooksNotRun(Exception):
    """The hooks of a flow run could not be run; the message says why."""


class HookProcesses:
    """Starts them, a few at a time.

    Args:
        home: A directory in which each works in one of its own.
        environment_of: The environment variables that the flow run's own process would have.
    """

    def __init__(self, home: Path, environment_of: EnvironmentOf) -> None:
        self._home = home
        self._environment_of = environment_of
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def run_cancellation_hooks(self, flow_run: FlowRun, message: str) -> None:
        """Return when the hooks have run.

        Raises:
            HooksNotRun: The flow could not be loaded in a process, or not in time.
        """
        async with self._turns:
            environment = await self._environment_of(flow_run)
            with tempfile.TemporaryDirectory(dir=self._home, prefix="hooks-") as directory:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", _PROGRAM, str(flow_run.id), message),
                    cwd=directory,
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )
                try:
                    code = await asyncio.wait_for(process.wait(), HOOKS_SECONDS)
                except TimeoutError:
                    why = f"did not end within {HOOKS_SECONDS:g} s"
                else:
                    why = f"exited with code {code}" if code else ""
                finally:
                    if process.returncode is None:
                        process.kill()
        if why:
            raise HooksNotRun(f"the process of its cancellation hooks {why}; see the worker's log")
