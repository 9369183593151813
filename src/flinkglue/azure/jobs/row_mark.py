"""What ARM's row and Flink reported of a job before something was requested of it.

ARM gives no id for a request, its row shows only the newest action, and the list lags: an
answer is known by what has changed since. Pure.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from flinkglue.azure.models import ArmFlinkJob
from flinkglue.lifecycle.state_paths import plain


@dataclass(frozen=True)
class RowMark:
    """What was reported at one moment.

    Args:
        output: A digest of what it said.
        paths: The newest savepoint by ARM's word and by Flink's, in one spelling.
    """

    action: str = ""
    result: str = ""
    output: str = ""
    paths: frozenset[str] = frozenset()

    @classmethod
    def of(cls, row: ArmFlinkJob, *paths: str | None) -> RowMark:
        """What a row says, and the savepoints that are known of its job."""
        output = hashlib.sha256((row.job_output or "").encode()).hexdigest()[:16]
        known = frozenset(plain(path) for path in paths if path)
        return cls((row.action or "").upper(), (row.action_result or "").upper(), output, known)

    @classmethod
    def read(cls, text: str) -> RowMark:
        """What ``text`` wrote."""
        if not text:
            return cls()
        action, result, output, *paths = json.loads(text)
        # One that an earlier release wrote may be spelled as that one compared them.
        return cls(action, result, output, frozenset(map(plain, paths)))

    @property
    def text(self) -> str:
        """For the journal."""
        return json.dumps([self.action, self.result, self.output, *sorted(self.paths)])

    def says_the_same(self, other: RowMark) -> bool:
        """Whether the row reports the same of its newest action."""
        return (self.action, self.result, self.output) == (other.action, other.result, other.output)
