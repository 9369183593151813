"""The job jars that lie on a JobManager: each is uploaded once, found again, and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flinkglue.errors import JobFailed
from flinkglue.flink.api.failures import SERVICE, FlinkRefused, MainTimedOut, NotOffered
from flinkglue.flink.api.lifecycle_rest import FlinkLifecycleClient, UploadedJar
from flinkglue.flink.jars.sources import JarSource, is_of_job, name_on_cluster
from flinkglue.flink.timeouts import FlinkTimeouts
from flinkglue.lifecycle.models import JobSpec
from flinkglue.polling import TRANSIENT

_NO_JARS = (
    "this cluster launches no jars: web.submit.enable is false there, or it runs one application"
)
_WHAT_WORKS = (
    "SAVEPOINT, STOP, CANCEL, LIST_SAVEPOINT, DELETE and the watch work on its jobs. To launch "
    "one, use a session cluster with web.submit.enable: true; in Application Mode a cluster is "
    "replaced with its job."
)


class UploadedJars:
    """The jars of one JobManager.

    Args:
        timeouts: How long to tolerate outages.
    """

    def __init__(
        self, client: FlinkLifecycleClient, source: JarSource, timeouts: FlinkTimeouts
    ) -> None:
        self._client = client
        self._source = source
        self._timeouts = timeouts

    def check_taken(self) -> None:
        """Return when the cluster takes jars at all.

        Raises:
            NotOffered: It does not, by its own configuration.
        """
        if not self._timeouts.retry(self._client.takes_jars):
            raise _no_jars(self._client.base_url)

    def ensure(self, spec: JobSpec) -> str:
        """The jar id of this content, uploaded unless it is there."""
        return self._find(spec) or self._upload(spec)

    @contextmanager
    def tried(self, spec: JobSpec) -> Iterator[str]:
        """The jar id for a trial: what was uploaded for one that fails does not stay."""
        known = self._find(spec)
        jar_id = known or self._upload(spec)
        try:
            yield jar_id
        except (JobFailed, MainTimedOut):
            if known is None:
                self._delete(jar_id)
            raise

    def has(self, spec: JobSpec) -> bool:
        """Whether the jar lies on the JobManager, or still lies at its address."""
        return self._find(spec) is not None or self._source.holds(spec.jar)

    def keep(self, job_name: str, sha256s: frozenset[str]) -> None:
        """Delete the jars that were uploaded for this job, except these contents."""
        kept = {name_on_cluster(job_name, sha256) for sha256 in sha256s}
        for jar in self._all():
            if is_of_job(jar.name, job_name) and jar.name not in kept:
                self._delete(jar.jar_id)

    def _upload(self, spec: JobSpec) -> str:
        name = name_on_cluster(spec.job_name, spec.jar.sha256)
        with self._source.content(spec.jar, name) as path:
            return self._timeouts.retry(lambda: self._client.upload_jar(path))

    def _delete(self, jar_id: str) -> None:
        try:
            self._timeouts.retry(lambda: self._client.delete_jar(jar_id))
        except (FlinkRefused, *TRANSIENT):
            return  # somebody else deleted it, or it goes at the next time

    def _find(self, spec: JobSpec) -> str | None:
        name = name_on_cluster(spec.job_name, spec.jar.sha256)
        newest_first = sorted(self._all(), key=lambda jar: jar.uploaded_ms, reverse=True)
        return next((jar.jar_id for jar in newest_first if jar.name == name), None)

    def _all(self) -> list[UploadedJar]:
        try:
            return self._timeouts.retry(self._client.jars)
        except NotOffered:
            return []  # a cluster that takes none has none


def _no_jars(base_url: str) -> NotOffered:
    return NotOffered(SERVICE, "RunJar", base_url, _NO_JARS, advice=_WHAT_WORKS)
