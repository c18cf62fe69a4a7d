#!/usr/bin/env bash
# From a fresh clone to a checked installation on this machine: virtual environment from the hashed locks, `.env` with
# a secret key, database, report. Safe to repeat: what is there already is kept.
#   scripts/setup-local.sh            then: make run
#   PYTHON=python3.11 scripts/setup-local.sh
set -euo pipefail
cd "$(dirname "$0")/.."

make --no-print-directory setup PYTHON="${PYTHON:-python3}"
if [ ! -e .env ]; then
    (umask 077 && printf 'SECRET_KEY=%s\n' "$(.venv/bin/python -c 'import secrets; print(secrets.token_hex(32))')" > .env)
    echo "Made .env with a secret key of its own; put provider keys there."
fi
.venv/bin/hortus migrate
.venv/bin/hortus doctor || echo "Mend what is marked !! above, then say: make doctor"
echo "Ready. Start it with: make run"
