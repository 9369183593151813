# The image of flow runs: the locked packages and the code that was tested with them.
#   docker build --tag prefect-flink-glue:0.1.0 .
# deployments/containers.yaml has work pools that run it.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /opt/prefect-flink-glue

# Packages first: they change less often than the code.
COPY requirements-worker.lock ./
RUN pip install --require-hashes --only-binary :all: --no-deps --requirement requirements-worker.lock

COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
COPY tasks ./tasks
COPY blocks ./blocks
RUN pip install --no-deps --no-build-isolation .
COPY flows ./flows

# Prefect keeps its files in the home of the user that runs it.
RUN useradd --create-home --uid 10001 flinkglue
USER 10001
