# One image for every process: `hortus serve`, `worker`, `scheduler`, `migrate`, or `up` for all in one.
#   docker build -t hortus .                     with what the provider `local` needs (some of it GPL)
#   docker build -t hortus --build-arg EXTRAS= . without
FROM python:3.11-slim-bookworm AS build
ARG EXTRAS=local
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY pyproject.toml requirements.txt deploy/docker/pick.py ./
# Every download is in the lock with its hash; --no-deps keeps pip from looking for more.
RUN python pick.py build > build.txt \
    && python -m venv /build \
    && /build/bin/pip install --quiet --require-hashes --no-deps -r build.txt
RUN python pick.py run ${EXTRAS} > run.txt \
    && python -m venv --without-pip /opt/hortus \
    && pip --python /opt/hortus/bin/python install --quiet --require-hashes --no-deps -r run.txt
COPY README.md LICENSE ./
COPY migrations ./migrations
COPY src ./src
RUN /build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/hortus/bin/python install --quiet --no-deps /wheels/*.whl \
    && /opt/hortus/bin/python -m compileall -q /opt/hortus/lib

FROM python:3.11-slim-bookworm
# Nothing here installs or compiles: the virtual environment comes ready, and pip goes.
RUN python -m pip uninstall --quiet --yes --root-user-action=ignore pip setuptools wheel \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin hortus \
    && install -d -o hortus -g hortus -m 0700 /data
COPY --from=build /opt/hortus /opt/hortus
COPY deploy/docker/alive.py /opt/hortus/alive.py
ENV PATH=/opt/hortus/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HORTUS_DATA=/data \
    PORT=8000
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["python", "/opt/hortus/alive.py"]
CMD ["hortus", "serve", "--host", "0.0.0.0"]
