#!/usr/bin/env bash
# Make everything that Hortus needs on Railway (project, PostgreSQL, service, volume, variables) and deploy; repeat it for
# every release.
#   deploy/railway/deploy.sh            PROJECT=hortus
#   deploy/railway/deploy.sh --dry-run  prints the commands that would run
# Needs `railway`, signed in.
set -euo pipefail
cd "$(dirname "$0")/../.."

dry_run=
[ "${1:-}" = --dry-run ] && dry_run=1
project=${PROJECT:-hortus}
run() { if [ -n "$dry_run" ]; then printf '+ %s\n' "$(printf '%q ' "$@")"; else "$@"; fi; }

if ! railway status >/dev/null 2>&1; then
    run railway init --name "$project"
    run railway add --database postgres
    run railway add --service hortus
    run railway service hortus
    run railway volume add --mount-path /data
fi
variables=$(railway variables --service hortus --kv 2>/dev/null || true)
if [[ "$variables" != *SECRET_KEY=* ]]; then
    if [ -n "$dry_run" ]; then
        echo "+ railway variables --service hortus --set SECRET_KEY=(64 random characters)"
    else
        railway variables --service hortus --skip-deploys --set "SECRET_KEY=$(openssl rand -hex 32)" >/dev/null
    fi
    # Railway fills these in: the address of the database beside it, and the host of the service.
    # shellcheck disable=SC2016 # ${{…}} is Railway's own notation
    run railway variables --service hortus --skip-deploys --set 'DATABASE_URL=${{Postgres.DATABASE_URL}}' \
        --set 'PUBLIC_URL=https://${{RAILWAY_PUBLIC_DOMAIN}}' --set LOG_FORMAT=json --set HORTUS_DATA=/data
    run railway domain --service hortus --port 8000
fi
run railway up --service hortus --ci
