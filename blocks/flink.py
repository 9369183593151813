"""What a person fills in about any live Flink cluster: its REST endpoint, and where jars lie."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from urllib.parse import urlsplit

import httpx
from prefect.blocks.core import Block
from pydantic import Field, HttpUrl

from flinkglue.addresses import LOOPBACK_HOSTS
from flinkglue.blocks.flink_storage import Storages
from flinkglue.blocks.hidden_input import HiddenInput
from flinkglue.blocks.tls import trusting
from flinkglue.clock import Clock, SystemClock
from flinkglue.downloads import DownloadLimits
from flinkglue.errors import InvalidInput
from flinkglue.flink.api.lifecycle_rest import MAIN_SECONDS, FlinkLifecycleClient
from flinkglue.flink.backend import RestBackend
from flinkglue.flink.jars.https_files import HttpsCredentials
from flinkglue.flink.jars.sources import JarSource
from flinkglue.flink.timeouts import FlinkTimeouts
from flinkglue.form_types import (
    FilePath,
    HeaderName,
    Name,
    OptionalHeaderSecret,
    OptionalHeaderValue,
    OptionalSecret,
    SecureUrl,
    StorageAddress,
    WebUrl,
)
from flinkglue.http.auth import BearerToken
from flinkglue.quantities import Count, Seconds, SecondsOrNone

_LEAST_LAUNCH_SECONDS = 60.0


class FlinkSignIn(StrEnum):
    """How the endpoint wants to know who calls."""

    NONE = "none"
    BASIC = "basic"
    BEARER = "bearer"
    MUTUAL_TLS = "mutual_tls"


_NEEDED = {
    FlinkSignIn.BASIC: ("user_name", "password"),
    FlinkSignIn.BEARER: ("token",),
    FlinkSignIn.MUTUAL_TLS: ("client_certificate_file", "client_key_file"),
}


class FlinkRestCluster(HiddenInput, Block):
    """Any Flink cluster from 1.17 on, over its JobManager's REST API.

    Example:
        ```python
        from flinkglue.blocks.flink import FlinkRestCluster

        cluster = FlinkRestCluster.load("flink")
        with cluster.get_client() as flink:
            print(flink.overview())
        ```
    """

    _block_type_name = "Flink REST Cluster"
    _block_type_slug = "flink-rest-cluster"
    _logo_url = HttpUrl("https://flink.apache.org/img/logo/png/200/flink_squirrel_200_color.png")
    _documentation_url = HttpUrl(
        "https://nightlies.apache.org/flink/flink-docs-stable/docs/ops/rest_api/"
    )

    url: WebUrl = Field(
        title="URL",
        description="The JobManager's address, which shows the Flink dashboard in a browser.",
        examples=["https://flink.example.com", "http://localhost:8081"],
    )
    cluster_name: Name | None = Field(
        default=None,
        title="Cluster name",
        description="The name under which jobs and savepoints are recorded; the same in all "
        "blocks for one cluster. Empty: the URL, so a new URL would lose them.",
        examples=["production-eu"],
    )
    sign_in: FlinkSignIn = Field(
        default=FlinkSignIn.NONE,
        title="Sign-in",
        description="How to sign in to the endpoint, or to the gateway in front of it.",
        examples=["none", "bearer"],
    )
    user_name: Name | None = Field(
        default=None,
        title="User name",
        description="For basic sign-in.",
        examples=["flows"],
    )
    password: OptionalSecret = Field(
        default=None,
        title="Password",
        description="For basic sign-in.",
        examples=["the password of that user"],
    )
    token: OptionalHeaderSecret = Field(
        default=None,
        title="Token",
        description="For bearer sign-in.",
        examples=["the token, without the word Bearer"],
    )
    client_certificate_file: FilePath | None = Field(
        default=None,
        title="Client certificate file",
        description="For mutual TLS: a PEM file on the machine where flows run.",
        examples=["/etc/flink/client.crt"],
    )
    client_key_file: FilePath | None = Field(
        default=None,
        title="Client key file",
        description="For mutual TLS: the certificate's private key, a PEM file.",
        examples=["/etc/flink/client.key"],
    )
    client_key_password: OptionalSecret = Field(
        default=None,
        title="Client key password",
        description="For mutual TLS, when the key file is encrypted.",
        examples=["the password of the key file"],
    )
    ca_file: FilePath | None = Field(
        default=None,
        title="CA file",
        description="A PEM file of certificates to trust instead of the platform's own; for jars "
        "at https://, in addition to them.",
        examples=["/etc/ssl/certs/company-ca.pem"],
    )
    savepoint_directory: StorageAddress | None = Field(
        default=None,
        title="Savepoint directory",
        description="Where savepoints are written. Empty: the directory that the cluster is "
        "configured with.",
        examples=["s3://my-bucket/savepoints", "file:///var/flink/savepoints"],
    )
    s3_credentials: Name | None = Field(
        default=None,
        title="AWS Credentials block",
        description="The name of an AWS Credentials block, for jars and savepoints at s3://.",
        examples=["aws"],
    )
    abfs_credentials: Name | None = Field(
        default=None,
        title="Azure Blob Storage Credentials block",
        description="The name of an Azure Blob Storage Credentials block, for jars and savepoints "
        "at abfs:// or abfss://.",
        examples=["flink-storage"],
    )
    jars_url: SecureUrl | None = Field(
        default=None,
        title="Jar repository URL",
        description="The https:// address below which jars need the header or the query that "
        "follows. They are sent there and nowhere else.",
        examples=["https://artifacts.example.com/repository/jobs"],
    )
    jars_header_name: HeaderName = Field(
        default="Authorization",
        title="Jar repository header",
        description="The name of the header that the repository needs.",
        examples=["Authorization", "X-JFrog-Art-Api", "PRIVATE-TOKEN"],
    )
    jars_header: OptionalHeaderValue = Field(
        default=None,
        title="Jar repository header value",
        description="The header's value; for Authorization with its scheme, Bearer or Basic.",
        examples=["Bearer and the token"],
    )
    jars_query: OptionalHeaderSecret = Field(
        default=None,
        title="Jar repository query",
        description="What is appended to the addresses of jars, for example a shared access "
        "signature. It is neither written down nor shown.",
        examples=["the signature, without the question mark"],
    )
    max_jar_mebibytes: Count = Field(
        default=1024,
        title="Maximum jar size in MiB",
        description="A larger jar is not downloaded. Flink takes 100 MiB unless its configuration "
        "allows more.",
        examples=[1024],
    )
    jar_download_seconds: Seconds = Field(
        default=600,
        title="Jar download in seconds",
        description="How long the download of a jar may take.",
        examples=[600],
    )
    state_is_local: bool = Field(
        default=False,
        title="State is on this machine",
        description="The cluster's file: directories are on the machine where flows run, so "
        "LIST_SAVEPOINT and RE_LAUNCH can list them.",
        examples=[False],
    )
    timeout_seconds: Seconds = Field(
        default=60,
        title="Time-out in seconds",
        description="How long to wait for a response to a call that does not run main().",
        examples=[60],
    )
    main_seconds: Seconds = Field(
        default=MAIN_SECONDS,
        title="main() in seconds",
        description="How long a job's main() may take to reach execute(), in a plan or a launch. A "
        "gateway in front of the JobManager must wait as long.",
        examples=[600],
    )
    check_plan: bool = Field(
        default=True,
        title="Check the plan",
        description="Have Flink make a plan of a jar before anything is changed, so that a bad jar "
        "is refused while the old job runs. That runs main() an extra time: switch it off "
        "for a main() that takes long or must not run twice.",
        examples=[True],
    )
    outage_seconds: SecondsOrNone = Field(
        default=120,
        title="Outage in seconds",
        description="How long to tolerate an unresponsive JobManager.",
        examples=[120],
    )
    operation_seconds: Seconds = Field(
        default=900,
        title="Operation in seconds",
        description="How long a savepoint, a stop or a cancellation may take.",
        examples=[900],
    )

    def _check_together(self) -> None:
        for name in _NEEDED.get(self.sign_in, ()):
            if getattr(self, name) is None:
                raise ValueError(f"{name}: is needed for the sign-in {self.sign_in.value}")
        if self.user_name is not None and ":" in self.user_name:
            raise ValueError("user_name: takes no colon, which ends the name in a basic sign-in")
        self._check_repository()
        url = urlsplit(self.url)
        if self.sign_in is FlinkSignIn.MUTUAL_TLS and url.scheme != "https":
            raise ValueError("url: must be https:// for the sign-in mutual_tls")
        open_wire = url.scheme != "https" and url.hostname not in LOOPBACK_HOSTS
        if open_wire and self.sign_in is not FlinkSignIn.NONE:
            raise ValueError(f"url: must be https:// for the sign-in {self.sign_in.value}")

    def _check_repository(self) -> None:
        given = [name for name in ("jars_header", "jars_query") if getattr(self, name) is not None]
        if given and self.jars_url is None:
            raise ValueError(f"jars_url: is needed for {' and '.join(given)}")

    @property
    def journal_name(self) -> str:
        """What its jobs are recorded under: the cluster's name, or else its URL."""
        return self.cluster_name or self.url.rstrip("/").lower()

    @property
    def dashboard_url(self) -> str | None:
        """What a person opens in a browser."""
        return self.url.rstrip("/")

    def get_client(self) -> FlinkLifecycleClient:
        """The JobManager, signed in."""
        return FlinkLifecycleClient(
            self.url,
            auth=self._auth(),
            verify=self._trusted() or True,
            timeout_seconds=self.timeout_seconds,
            main_seconds=self.main_seconds,
        )

    @property
    def launch_seconds(self) -> float:
        """How long a launch that was sent may take to appear."""
        return max(_LEAST_LAUNCH_SECONDS, self.main_seconds)

    def get_jars(self) -> JarSource:
        """Where this cluster's job jars are read from: local paths, https, S3 and Azure."""
        return JarSource(self._storages().fetchers())

    @contextmanager
    def get_backend(self, clock: Clock | None = None) -> Iterator[RestBackend]:
        """The cluster as a place for the eleven actions, until the block ends."""
        with self.get_client() as client:
            yield RestBackend(
                client,
                self.get_jars(),
                storage=self._storages().state_storage(state_is_local=self.state_is_local),
                savepoint_directory=self.savepoint_directory,
                timeouts=FlinkTimeouts(
                    outage_seconds=self.outage_seconds,
                    operation_seconds=self.operation_seconds,
                    clock=clock or SystemClock(),
                ),
                check_plan=self.check_plan,
            )

    def _storages(self) -> Storages:
        https = None
        if self.jars_url is not None:
            https = HttpsCredentials(
                self.jars_url, self.jars_header_name, self.jars_header, self.jars_query
            )
        limits = DownloadLimits(self.max_jar_mebibytes, self.jar_download_seconds)
        return Storages(self.s3_credentials, self.abfs_credentials, self.ca_file, https, limits)

    def _auth(self) -> httpx.Auth | None:
        if self.sign_in is FlinkSignIn.BASIC and self.user_name and self.password:
            return httpx.BasicAuth(self.user_name, self.password.get_secret_value())
        if self.sign_in is FlinkSignIn.BEARER and self.token:
            return BearerToken(self.token)
        return None

    def _trusted(self) -> ssl.SSLContext | None:
        mutual = self.sign_in is FlinkSignIn.MUTUAL_TLS
        if not (self.ca_file or mutual):
            return None
        context = trusting(self.ca_file)
        if mutual and self.client_certificate_file:
            password = self.client_key_password
            try:
                context.load_cert_chain(
                    self.client_certificate_file,
                    self.client_key_file,
                    password.get_secret_value() if password else None,
                )
            except OSError as error:  # ssl.SSLError is one
                raise InvalidInput(
                    "client_certificate_file",
                    self.client_certificate_file,
                    "PEM files of a certificate and its key that can be read on this machine, and "
                    f"the key's password: {error}",
                ) from error
        return context
