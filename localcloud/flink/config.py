"""The configuration files and the JVM options of a local Flink cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from localcloud.config import LOOPBACK
from localcloud.kept_file import write_kept

_ADD_OPENS = (
    # Flink 1.17 reads addresses with it.
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in (
            "java.io",
            "java.lang",
            "java.lang.reflect",
            "java.net",
            "java.nio",
            "java.text",
            "java.time",
            "java.util",
            "java.util.concurrent",
            "java.util.concurrent.atomic",
            "java.util.concurrent.locks",
            "sun.nio.ch",
        )
    ),
)

# Two JVMs on a laptop: start fast and stay small rather than run fast for days.
_SMALL_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")

_LOG4J = """\
monitorInterval = 30
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = MainAppender
appender.main.name = MainAppender
appender.main.type = File
appender.main.append = true
appender.main.fileName = ${sys:log.file}
appender.main.layout.type = PatternLayout
appender.main.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
logger.netty.name = org.jboss.netty.channel.DefaultChannelPipeline
logger.netty.level = OFF
"""


@dataclass(frozen=True)
class ClusterFiles:
    """Where a cluster keeps its things, all below one directory."""

    directory: Path

    @property
    def conf(self) -> Path:
        """Configuration files."""
        return self.directory / "conf"

    @property
    def logs(self) -> Path:
        """Logs, and what the processes print."""
        return self.directory / "log"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints, kept when a job is cancelled or fails."""
        return self.directory / "checkpoints"

    @property
    def savepoints(self) -> Path:
        """Savepoints for which no other directory was asked."""
        return self.directory / "savepoints"

    @property
    def uploads(self) -> Path:
        """Uploaded jars; they survive a restart of the JobManager."""
        return self.directory / "uploads"

    @property
    def temporary(self) -> Path:
        """Everything that may be lost."""
        return self.directory / "tmp"

    @property
    def rest_tls(self) -> Path:
        """Keys and certificates of the REST API."""
        return self.directory / "rest-tls"

    def make(self) -> None:
        """Create the directories that are missing."""
        for directory in (
            self.conf,
            self.logs,
            self.checkpoints,
            self.savepoints,
            self.uploads,
            self.temporary,
        ):
            directory.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True)
class TaskManagerMemory:
    """The sizes in MiB of a TaskManager that runs a number of tasks side by side."""

    task_slots: int

    framework_heap = 128
    framework_off_heap = 128
    metaspace = 256
    overhead = 192

    @property
    def task_heap(self) -> int:
        """Heap for the jobs' own objects."""
        return 128 + 48 * self.task_slots

    @property
    def managed(self) -> int:
        """For sorting, hash tables and RocksDB."""
        return 32 * self.task_slots

    @property
    def network(self) -> int:
        """For the buffers between tasks."""
        return max(64, 16 * self.task_slots)

    def options(self) -> dict[str, str]:
        """All sizes as Flink wants them: a TaskManager's main class computes none itself."""
        memory = "taskmanager.memory"
        sizes = {
            f"{memory}.framework.heap.size": self.framework_heap,
            f"{memory}.framework.off-heap.size": self.framework_off_heap,
            f"{memory}.task.heap.size": self.task_heap,
            f"{memory}.task.off-heap.size": 0,
            f"{memory}.managed.size": self.managed,
            f"{memory}.network.min": self.network,
            f"{memory}.network.max": self.network,
            f"{memory}.jvm-metaspace.size": self.metaspace,
            f"{memory}.jvm-overhead.min": self.overhead,
            f"{memory}.jvm-overhead.max": self.overhead,
        }
        return {name: f"{mebibytes}m" for name, mebibytes in sizes.items()}

    def jvm_options(self) -> list[str]:
        """The same sizes for the JVM."""
        return [
            f"-Xmx{self.framework_heap + self.task_heap}m",
            f"-XX:MaxDirectMemorySize={self.framework_off_heap + self.network}m",
            f"-XX:MaxMetaspaceSize={self.metaspace}m",
        ]


JOBMANAGER_JVM_OPTIONS = ["-Xmx384m", "-XX:MaxMetaspaceSize=256m"]


def flink_version(lib_dir: Path) -> tuple[int, int]:
    """Major and minor version of the distribution in a ``lib`` directory.

    Raises:
        FileNotFoundError: There is no ``flink-dist-*.jar`` in it.
    """
    for jar in lib_dir.glob("flink-dist*.jar"):
        if match := re.search(r"-(\d+)\.(\d+)\.\d+", jar.name):
            return int(match[1]), int(match[2])
    raise FileNotFoundError(f"no flink-dist-*.jar in {lib_dir}")


def write_configuration(
    files: ClusterFiles,
    *,
    version: tuple[int, int],
    rest_port: int,
    rpc_port: int,
    task_slots: int,
    settings: dict[str, str],
) -> None:
    """Write what both JVMs read: Flink's configuration and that of its log.

    Args:
        files: The cluster's directories.
        version: Flink's major and minor version; it decides names of settings and of the file.
        rest_port: The port of the REST API.
        rpc_port: The port at which the TaskManager finds the JobManager.
        task_slots: How many tasks run side by side.
        settings: More settings; they win.
    """
    (files.conf / "log4j.properties").write_text(_LOG4J)
    options = {
        **_addresses(rest_port, rpc_port),
        **_directories(files, version),
        "taskmanager.numberOfTaskSlots": str(task_slots),
        "taskmanager.cpu.cores": str(float(task_slots)),
        # A killed JobManager is noticed in 10 seconds instead of 50.
        "heartbeat.interval": "1000",
        "heartbeat.timeout": "10000",
        # A TaskManager that is up before its JobManager tries again at once, not after 10 seconds.
        "cluster.registration.error-delay": "200",
        # It outlasts a JobManager that stays down; after 5 minutes it would end itself otherwise.
        "taskmanager.registration.timeout": "30 d",
        **TaskManagerMemory(task_slots).options(),
        **settings,
    }
    file_name = "config.yaml" if version >= (1, 19) else "flink-conf.yaml"
    lines = (f"{name}: {value}\n" for name, value in options.items())
    # With the passwords of the REST API's keys.
    write_kept(files.conf / file_name, "".join(lines).encode())


def _addresses(rest_port: int, rpc_port: int) -> dict[str, str]:
    return {
        "jobmanager.rpc.address": LOOPBACK,
        "jobmanager.rpc.port": str(rpc_port),
        "jobmanager.bind-host": LOOPBACK,
        "taskmanager.host": LOOPBACK,
        "taskmanager.bind-host": LOOPBACK,
        "rest.address": LOOPBACK,
        "rest.bind-address": LOOPBACK,
        "rest.port": str(rest_port),
        "rest.bind-port": str(rest_port),
        # Flink's default lets every page read.
        "web.access-control-allow-origin": "https://none.invalid",
    }


def flink_path(path: Path) -> str:
    """A path as Flink takes it: it does not decode %20 and its like in a URI."""
    return f"file://{path}"


def _directories(files: ClusterFiles, version: tuple[int, int]) -> dict[str, str]:
    modern = version >= (1, 20)
    checkpoints = "execution.checkpointing.dir" if modern else "state.checkpoints.dir"
    savepoints = "execution.checkpointing.savepoint-dir" if modern else "state.savepoints.dir"
    retained = (
        "execution.checkpointing.num-retained" if modern else "state.checkpoints.num-retained"
    )
    return {
        checkpoints: flink_path(files.checkpoints),
        savepoints: flink_path(files.savepoints),
        # As on HDInsight on AKS: five checkpoints are kept.
        retained: "5",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "web.upload.dir": str(files.uploads),
        "io.tmp.dirs": str(files.temporary),
    }


def java_command(
    java: Path,
    lib_dir: Path,
    files: ClusterFiles,
    *,
    main_class: str,
    process_name: str,
    jvm_options: list[str],
) -> list[str]:
    """The command line of one of the cluster's JVMs."""
    return [
        str(java),
        *_SMALL_JVM,
        *_ADD_OPENS,
        *jvm_options,
        f"-Djava.io.tmpdir={files.temporary}",
        f"-Dlog.file={files.logs / process_name}.log",
        f"-Dlog4j.configurationFile={(files.conf / 'log4j.properties').as_uri()}",
        "-cp",
        ":".join(str(jar) for jar in sorted(lib_dir.glob("*.jar"))),
        main_class,
        "-c",
        str(files.conf),
    ]
