"""What the claim on a job says: whose the job is, and which process acts on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flinkglue.lease import has_run_out
from flinkglue.lifecycle.journal import processes
from flinkglue.lifecycle.journal.documents import Stored


@dataclass(frozen=True)
class Owner:
    """What a claim says.

    Args:
        intent: Which intent owns the job.
        holder: Which process acts for it; empty: none does.
        token: Of that process alone.
        process: Which one it is, for others of the same machine.
        former_holder: Who may still act on the job, from whom it was taken; empty: nobody.
        former_lease_seconds: The longest lease of such a process.
    """

    intent: str
    holder: str = ""
    lease_seconds: float = 0.0
    token: str = ""
    process: str = ""
    former_holder: str = ""
    former_lease_seconds: float = 0.0

    @classmethod
    def of(cls, stored: Stored | None) -> Owner | None:
        """None when the job belongs to nobody."""
        if stored is None or stored.document is None:
            return None
        document = stored.document
        former = document.get("former", {})
        return cls(
            document["intent"],
            document.get("holder", ""),
            document.get("lease_seconds", 0.0),
            document.get("token", ""),
            document.get("process", ""),
            former.get("holder", ""),
            former.get("lease_seconds", 0.0),
        )

    @property
    def document(self) -> dict[str, Any]:
        """The same, to be written."""
        held = {
            "token": self.token,
            "holder": self.holder,
            "lease_seconds": self.lease_seconds,
            "process": self.process,
        }
        former = {"holder": self.former_holder, "lease_seconds": self.former_lease_seconds}
        return {
            "intent": self.intent,
            **(held if self.token else {}),
            **({"former": former} if self.former_lease_seconds else {}),
        }

    def may_act(self, unchanged_seconds: float) -> bool:
        """Whether its process may act on the job.

        Args:
            unchanged_seconds: For how long it gave no sign of life.
        """
        if not self.token or has_run_out(unchanged_seconds, self.lease_seconds):
            return False
        return not processes.is_known_dead(self.process)

    def after(self, before: Owner, *, may_act: bool) -> Owner:
        """The same, which is to take the job from another.

        Args:
            before: The other.
            may_act: Whether its process may act on the job still.
        """
        live = [(before.lease_seconds, before.holder)] if may_act else []
        seconds, holder = max(
            [(before.former_lease_seconds, before.former_holder), *live], key=lambda one: one[0]
        )
        return replace(self, former_holder=holder, former_lease_seconds=seconds)
