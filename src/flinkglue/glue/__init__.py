"""AWS Glue jobs: which connection a run gets, one run per run key, waiting for the real end.

Read first `models` (the values), `client` (every call that is sent), then the package for your
question:

- `placement`: which connection is first in the job's list, and why
- `coordination`: how runs of many processes keep out of each other's way
- `run`: how one run is found or started, waited for and stopped
- `failures`: what a failure means, and which connection it speaks against
- `monitoring`: the health of connections, and runs that nobody waits for
- `definition`: the job and its script as code
- `pacing`: how often a run is polled
- `api`: how single calls are made and their answers read

Imports go from the later to the earlier: models, pacing, api, client, failures, coordination,
placement, run."""
