"""How long things take in the local Azure."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass
class AzureTimings:
    """Durations, short by default so that tests and demos are; changed while the cloud runs.

    Args:
        token_lifetime_seconds: How long an access token from Entra ID is good.
        provisioning_seconds: How long a new cluster or pool stays ``Accepted`` (5 to 10 minutes in
            the real service).
        deletion_seconds: How long a deletion stays ``Deleting``.
        operation_seconds: How long runJob, resize and other updates stay ``Accepted``.
        job_listing_lag_seconds: How long a new job is missing from the list of jobs.
        job_change_lag_seconds: How long a listed job shows what it showed before a change.
        page_size: How many items a page of a list has.
    """

    token_lifetime_seconds: float = 3599.0
    provisioning_seconds: float = 1.0
    deletion_seconds: float = 0.5
    operation_seconds: float = 0.5
    job_listing_lag_seconds: float = 0.0
    job_change_lag_seconds: float = 0.0
    page_size: int = 100

    def __post_init__(self) -> None:
        self._at_first = asdict(self)

    def restore(self) -> None:
        """Take the durations back that it was made with."""
        self.change(**self._at_first)

    def change(self, **values: float) -> None:
        """Set some of the durations.

        Raises:
            ValueError: A name is unknown or a value is negative.
        """
        for name, value in values.items():
            if name not in self.__dataclass_fields__ or value < 0:
                known = ", ".join(self.__dataclass_fields__)
                raise ValueError(f"{name}={value!r} is not accepted. Allowed: {known}; 0 or more")
        for name, value in values.items():
            setattr(self, name, value)
