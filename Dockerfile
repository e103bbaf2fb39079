# Two stages: the first installs by the hash-locked list, the second has the result and nothing to build with.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/moderation
WORKDIR /src
COPY requirements.txt ./
RUN /opt/moderation/bin/pip install --quiet --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY moderation moderation
COPY migrations migrations
RUN /opt/moderation/bin/pip install --quiet --no-deps --no-build-isolation . \
    && /opt/moderation/bin/pip uninstall --quiet --yes hatchling editables pip \
    && /opt/moderation/bin/python -m compileall -q /opt/moderation/lib

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/moderation --create-home --shell /usr/sbin/nologin moderation \
    && chmod 700 /var/lib/moderation
COPY --from=build /opt/moderation /opt/moderation
ENV PATH=/opt/moderation/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MODERATION_HOME=/var/lib/moderation
USER moderation
WORKDIR /var/lib/moderation
# The keys and, unless MODERATION_DATABASE_URL says otherwise, the database. Back it up whole.
VOLUME /var/lib/moderation
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["moderation"]
CMD ["serve", "--bind", "0.0.0.0:8080"]
