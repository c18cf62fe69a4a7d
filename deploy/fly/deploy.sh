#!/usr/bin/env bash
# Make everything that Hortus needs on Fly (app, PostgreSQL, volume, secrets) and deploy; repeat it for every release.
#   APP=my-hortus deploy/fly/deploy.sh            REGION=bom, VOLUME_GB=10; POSTGRES=no keeps SQLite on the volume
#   APP=my-hortus deploy/fly/deploy.sh --dry-run  prints the commands that would run
# Needs `fly` (flyctl), signed in.
set -euo pipefail
cd "$(dirname "$0")/../.."

dry_run=
[ "${1:-}" = --dry-run ] && dry_run=1
: "${APP:?Set APP, the name of the app: it becomes https://APP.fly.dev}"
region=${REGION:-bom}
run() { if [ -n "$dry_run" ]; then printf '+ %s\n' "$(printf '%q ' "$@")"; else "$@"; fi; }
has() { fly "$@" 2>/dev/null; }

if ! has status --app "$APP" >/dev/null; then
    run fly apps create "$APP"
fi
secrets=$(has secrets list --app "$APP" || true)
if [[ "$secrets" != *SECRET_KEY* ]]; then
    if [ -n "$dry_run" ]; then
        echo "+ fly secrets set --stage --app $APP SECRET_KEY=(64 random characters)"
    else
        printf 'SECRET_KEY=%s\n' "$(openssl rand -hex 32)" | fly secrets import --stage --app "$APP"
    fi
fi
if [ "${POSTGRES:-yes}" = yes ] && [[ "$secrets" != *DATABASE_URL* ]]; then
    run fly postgres create --name "$APP-db" --region "$region" --vm-size shared-cpu-2x --volume-size 10 --initial-cluster-size 1
    run fly postgres attach "$APP-db" --app "$APP" --yes
fi
if [[ "$(has volumes list --app "$APP" || true)" != *data* ]]; then
    run fly volumes create data --app "$APP" --region "$region" --size "${VOLUME_GB:-10}" --yes
fi
run fly deploy --app "$APP" --config fly.toml --primary-region "$region" --env "PUBLIC_URL=${PUBLIC_URL:-https://$APP.fly.dev}" --ha=false
