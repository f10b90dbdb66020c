# cekura-sync as a container. The key comes with --env-file or a secret, never with the image:
#
#   docker build --tag cekura-sync .
#   docker run --env-file cekura-sync.env --volume cekura:/data cekura-sync
#
# It syncs every 15 minutes into /data/warehouse.duckdb; any other command of cekura-sync can follow the image's name.
# `cekura-sync schedule docker` prints a file for Docker Compose.

ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /src
ENV PIP_CONSTRAINT=/src/.ci/constraints.txt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
COPY .ci/constraints.txt .ci/
COPY pyproject.toml README.md LICENSE ./
COPY pipelines pipelines
COPY sql sql
RUN python -m venv /opt/cekura-sync \
    && /opt/cekura-sync/bin/pip install --compile '.[postgres]'

FROM python:${PYTHON}-slim
RUN groupadd --gid 10001 cekura \
    && useradd --uid 10001 --gid 10001 --create-home cekura \
    && install --directory --owner=cekura --group=cekura --mode=0700 /data
COPY --from=build /opt/cekura-sync /opt/cekura-sync
ENV PATH=/opt/cekura-sync/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CEKURA_WAREHOUSE=/data/warehouse.duckdb
USER 10001:10001
WORKDIR /data
VOLUME /data
# The first sync may take its time; after that, an hour without a successful one is too long.
HEALTHCHECK --interval=5m --timeout=10s --start-period=1h CMD ["cekura-sync", "status", "--max-age", "1h"]
ENTRYPOINT ["cekura-sync"]
CMD ["sync", "--every", "15m"]
