"""Which processes descend from one, whatever sessions and groups they are in."""

from __future__ import annotations

import subprocess


def processes_of(pid: int) -> set[int]:
    """The process and all that descend from it, without those that have ended."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,stat="], capture_output=True, text=True)
    alive = [line.split() for line in listed.stdout.splitlines()]
    children = {int(child): int(parent) for child, parent, state in alive if state[0] != "Z"}
    found = {pid} & children.keys()
    while more := {child for child, parent in children.items() if parent in found} - found:
        found |= more
    return found
