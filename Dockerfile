# One target a service: `docker build --target loader .` Each image holds the libraries of its own lock file and no tools.
# Written for the classic builder and BuildKit alike.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
# A network with a package index of its own names it with --build-arg; these stay in the stages that build.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /app

# Our own code is a layer by itself, so that a change of it changes only that. Production images have no `infra`.
FROM build AS package
COPY pyproject.toml README.md LICENSE ./
COPY services services
COPY shared shared
COPY smelt smelt
COPY docs/runbooks docs/runbooks
RUN python -m pip --python /app/bin/python install --no-deps .

FROM package AS local-package
COPY infra infra
RUN python -m pip --python /app/bin/python install --no-deps --force-reinstall .

FROM build AS extractor-libraries
COPY requirements/extractor.txt ./
RUN python -m pip --python /app/bin/python install --require-hashes -r extractor.txt

FROM build AS transformer-libraries
COPY requirements/transformer.txt ./
RUN python -m pip --python /app/bin/python install --require-hashes -r transformer.txt

FROM build AS loader-libraries
COPY requirements/loader.txt ./
RUN python -m pip --python /app/bin/python install --require-hashes -r loader.txt

FROM build AS ops-libraries
COPY requirements/ops.txt ./
RUN python -m pip --python /app/bin/python install --require-hashes -r ops.txt

FROM build AS serving-libraries
COPY requirements/serving.txt ./
RUN python -m pip --python /app/bin/python install --require-hashes -r serving.txt

FROM build AS local-libraries
COPY requirements/local.txt ./
RUN python -m pip --python /app/bin/python install --require-hashes -r local.txt

# Works on a read-only root: all that is ever written is below /tmp.
FROM ${BASE} AS runtime
RUN groupadd --gid 10001 smelt \
    && useradd --uid 10001 --gid smelt --home-dir /tmp --no-create-home --shell /usr/sbin/nologin smelt \
    && mkdir /datasets
# Data contracts of your own: an image `FROM` one of ours with `COPY datasets /datasets`, or a folder mounted there.
ENV SMELT_DATASETS=/datasets
ENV PATH=/app/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 10001
# A release names its version, which pyproject.toml has: docker build --build-arg VERSION=…
ARG VERSION=unreleased
LABEL org.opencontainers.image.title=smelt \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.licenses=MIT

# A worker touches its file at every poll, and does not while a task is older than its time limit.
FROM runtime AS worker
ENV SMELT_LIVENESS_FILE=/tmp/alive
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["sh", "-c", "test -n \"$(find \"$SMELT_LIVENESS_FILE\" -mmin -2)\""]

FROM worker AS extractor
COPY --from=extractor-libraries /app /app
COPY --from=package /app /app
CMD ["python", "-m", "services.extractor.worker"]

FROM worker AS transformer
COPY --from=transformer-libraries /app /app
COPY --from=package /app /app
CMD ["python", "-m", "services.transformer.worker"]

FROM worker AS loader
COPY --from=loader-libraries /app /app
COPY --from=package /app /app
CMD ["python", "-m", "services.loader.worker"]

# For operators: the console, or `docker run … smelt …`.
FROM runtime AS ops
COPY --from=ops-libraries /app /app
COPY --from=package /app /app
ENV SMELT_CONSOLE_PORT=8420
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['SMELT_CONSOLE_PORT']}/healthz\", timeout=4)"]
CMD ["python", "-m", "services.ops.console"]

# For analysts: the search page and the read API, which also keep gold up to date.
FROM runtime AS serving
COPY --from=serving-libraries /app /app
COPY --from=package /app /app
ENV SMELT_SERVING_PORT=8430
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['SMELT_SERVING_PORT']}/healthz\", timeout=4)"]
CMD ["python", "-m", "services.serving"]

# Everything, with the emulator of AWS and the simulator of USAJOBS: for one machine, never for AWS.
FROM runtime AS local
USER 0
RUN install --directory --owner=smelt --group=smelt --mode=0700 /var/lib/smelt
USER 10001
COPY --from=local-libraries /app /app
COPY --from=local-package /app /app
ENV SMELT_HOME=/var/lib/smelt
CMD ["smelt", "up"]
