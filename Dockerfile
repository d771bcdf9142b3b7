# The production image: API, worker and beat are the same image with another command.
# Build: docker build -t syncline .

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/requirements.txt
RUN /opt/venv/bin/pip install --requirement /tmp/requirements.txt

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 syncline \
    && useradd --system --uid 10001 --gid syncline --home-dir /var/lib/syncline --create-home syncline
COPY --from=build /opt/venv /opt/venv
COPY run.py sync.py /opt/syncline/
COPY app /opt/syncline/app
COPY client /opt/syncline/client
COPY migrations /opt/syncline/migrations
COPY settings /opt/syncline/settings
WORKDIR /opt/syncline
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SYNCLINE_STATE_DIR=/var/lib/syncline \
    SYNCLINE_HOST=0.0.0.0
USER 10001:10001
VOLUME /var/lib/syncline
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["python", "run.py", "gunicornserver"]
