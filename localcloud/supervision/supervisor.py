"""One local cloud: starts its parts, tells how they are, stops them."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from localcloud.assembly import PART_NAMES, build_parts, start_order, with_needs
from localcloud.config import CloudConfig
from localcloud.part import Part, PartFailed
from localcloud.state import StateDir
from localcloud.supervision.control import ControlPart
from localcloud.web.wire import FaultBook, RequestLog, Wire

if TYPE_CHECKING:
    from localcloud.flink.part import FlinkPart

_LOG = logging.getLogger("localcloud")


class Cloud:
    """The parts of one state directory in this process, which it holds until it ends.

    Args:
        config: What was set.
        only: The parts to run, with those that they need; all of them by default.

    Raises:
        AlreadyRunning: Another process runs a cloud in this state directory.
        ValueError: There is no part of that name.
    """

    def __init__(self, config: CloudConfig, only: Iterable[str] = PART_NAMES) -> None:
        only = with_needs(only)
        self.state = StateDir(config.state_dir)
        # Parts make accounts and keys when they are built: two first starts must not both do so.
        self.state.hold()
        self.wire = Wire(RequestLog(self.state.requests_file), FaultBook(seed=config.seed))
        self.parts = build_parts(config, self.wire, only)
        self._control = ControlPart(config, self)
        self._ready: dict[str, float] = {}
        self._down = threading.Event()

    def run(self) -> None:
        """Start everything, wait for ``ask_to_stop``, stop everything.

        Raises:
            PartFailed: A part did not start; the others are stopped.
        """
        self.state.requests_file.unlink(missing_ok=True)
        try:
            self._start()
            if not self._down.is_set():
                _LOG.info("ready: %s", self.state.cloud_file)
            self._down.wait()
        finally:
            self._stop()

    def ask_to_stop(self) -> None:
        """Let ``run`` end; safe in a signal handler and from any thread."""
        self._down.set()

    def _start(self) -> None:
        self._control.start()
        self.state.write(self.status())
        for group in start_order(self.parts):
            self._start_group(group)
            if self._down.is_set():
                return
        self.state.write(self.status())

    def _start_group(self, group: list[Part]) -> None:
        failures: list[BaseException] = []
        # Daemons: a part that hangs in its start must not keep a stopped cloud alive.
        threads = [
            threading.Thread(
                target=self._start_part, args=(part, failures), name=part.name, daemon=True
            )
            for part in group
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) and not failures:
            if self._down.wait(0.05):
                return
        if failures:
            raise failures[0]

    def _start_part(self, part: Part, failures: list[BaseException]) -> None:
        started = time.monotonic()
        try:
            part.start()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts must be stopped
            if not self._down.is_set():
                _LOG.exception("%s did not start", part.name)
                failures.append(PartFailed(f"{part.name} did not start: {error}"))
            return
        seconds = time.monotonic() - started
        self._ready[part.name] = seconds
        _LOG.info("%-9s ready after %4.1f s  %s", part.name, seconds, part.url())

    def _stop(self) -> None:
        self._down.set()
        self._ready.clear()
        for part in [*reversed(self.parts), self._control]:
            try:
                part.stop()
            except Exception:  # noqa: BLE001 - the other parts must be stopped all the same
                _LOG.exception("%s did not stop cleanly", part.name)
        self.state.forget()
        _LOG.info("stopped")

    def reset(self) -> None:
        """Faults cleared, the parts' own faults undone, requests forgotten; jobs and seeds stay."""
        self.wire.faults.clear()
        for part in self.parts:
            part.reset()
        self.wire.requests.clear()

    def part(self, name: str) -> Part | None:
        """The running part of that name."""
        return next((part for part in self.parts if part.name == name), None)

    def dashboard_link(self) -> str:
        """A link that opens Flink's dashboard in one browser, once.

        Raises:
            LookupError: Flink does not run here.
        """
        part = self.part("flink")
        if part is None or "flink" not in self._ready:
            raise LookupError("no part flink runs here")
        return cast("FlinkPart", part).dashboard_link()

    def status(self) -> dict[str, Any]:
        """The whole cloud as JSON, accounts and their local secrets included."""
        parts = {part.name: self._part_status(part) for part in self.parts}
        accounts: dict[str, dict[str, Any]] = {"azure": {}, "aws": {}}
        for part in parts.values():
            for provider, account in part.pop("accounts", {}).items():
                accounts[provider].update(account)
        return {
            "ready": all(part["ready"] for part in parts.values()),
            "pid": os.getpid(),
            "state_dir": str(self.state.path),
            "ca_file": next((p["ca_file"] for p in parts.values() if "ca_file" in p), None),
            "control_url": self._control.url(),
            "control_token": self._control.token,
            "parts": parts,
            **accounts,
        }

    def _part_status(self, part: Part) -> dict[str, Any]:
        if part.name not in self._ready:
            return {"url": None, "ready": False}
        details = part.details()
        alive = all(process["alive"] for process in details.get("processes", {}).values())
        return {
            "url": part.url(),
            "ready": alive,
            "start_seconds": round(self._ready[part.name], 2),
            "fault_commands": sorted(part.fault_commands()),
            **details,
        }
