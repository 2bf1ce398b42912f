# The embedded server by itself: Triton 2.51 from pip, with tritonkit's onnxruntime
# backend, the Python backend and ensembles. No GPU; under 1 GB, where NVIDIA's is 15.
#
#     docker build --file docker/server/cpu.Dockerfile --tag tritonkit-server-cpu:24.10 .
FROM python:3.12.10-slim-bookworm AS build
WORKDIR /source
ENV PIP_CONSTRAINT=/source/constraints.txt PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY client client
COPY server server
COPY export export
COPY bench bench
COPY gateway gateway
RUN python -m venv /opt/tritonkit && /opt/tritonkit/bin/python -m pip install .
# The runtime has pins of its own, without dependencies.
RUN env -u PIP_CONSTRAINT XDG_DATA_HOME=/opt/data /opt/tritonkit/bin/python -m tritonkit.server.runtime

FROM python:3.12.10-slim-bookworm
COPY --from=build /opt/tritonkit /opt/tritonkit
COPY --from=build /opt/data /opt/data
RUN useradd --system --uid 10001 --user-group --home-dir /nonexistent --shell /usr/sbin/nologin tritonkit
ENV PATH=/opt/tritonkit/bin:$PATH XDG_DATA_HOME=/opt/data PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8000 8001 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8000/v2/health/ready', timeout=4)"]
ENTRYPOINT ["tritonkit", "serve", "/models", "--host", "0.0.0.0", "--no-exit-on-error"]
