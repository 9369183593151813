"""How large a download may be, and how long it may take: in all, not from read to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from flinkglue.clock import Clock, SystemClock
from flinkglue.errors import CallFailed, DeadlineExceeded

SERVICE = "jar source"
_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class DownloadLimits:
    """What one download may take. Flink itself takes jars of 100 MiB unless it is configured to.

    Args:
        most_mebibytes: The largest size.
        deadline_seconds: The longest time from the request to the last byte.
    """

    most_mebibytes: float = 1024
    deadline_seconds: float = 600
    clock: Clock = field(default_factory=SystemClock)

    def checked(
        self, uri: str, declared_bytes: int | None, chunks: Iterable[bytes], began_at: float
    ) -> Iterator[bytes]:
        """The chunks of a download, as long as they are within the limits.

        Args:
            declared_bytes: Its size by the source's own word, which may be wrong; None: not told.
            chunks: What comes in.
            began_at: When it was asked for, by the clock.

        Raises:
            CallFailed: It is too large; by the source's word, before anything is read.
            DeadlineExceeded: It took too long.
        """
        if declared_bytes is not None:
            self._check_size(uri, declared_bytes)
        got = 0
        for chunk in chunks:
            got += len(chunk)
            self._check_size(uri, got)
            self._check_time(uri, got, declared_bytes, began_at)
            yield chunk

    def _check_size(self, uri: str, size_bytes: int) -> None:
        if size_bytes > self.most_mebibytes * _MEBIBYTE:
            raise CallFailed(
                SERVICE,
                "download",
                uri,
                f"it is larger than {self.most_mebibytes:g} MiB, which is the limit",
                advice="check the address, or raise max_jar_mebibytes of the cluster's block.",
            )

    def _check_time(self, uri: str, got: int, declared_bytes: int | None, began_at: float) -> None:
        if self.clock.monotonic() - began_at > self.deadline_seconds:
            of_all = f" of {declared_bytes}" if declared_bytes is not None else ""
            raise DeadlineExceeded(
                f"The download of {uri}",
                self.deadline_seconds,
                f"{got}{of_all} bytes",
                "Nothing was changed on its account. Raise jar_download_seconds of the cluster's "
                "block, or put the jar nearer to the worker.",
            )
