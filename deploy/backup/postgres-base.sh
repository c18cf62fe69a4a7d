#!/usr/bin/env bash
# A base backup of a running PostgreSQL, on which the archived WAL can be replayed. postgres-base.sh FOLDER [URL]
# Prints where it lies. The user needs the right to replicate. Once a night is usual.
set -euo pipefail
folder=$1 url=${2:-${DATABASE_URL:-}}
url=${url/#postgresql+asyncpg:/postgresql:}

umask 077
mkdir -p "$folder"
target=$folder/base-$(date -u +%Y%m%dT%H%M%SZ)
pg_basebackup ${url:+--dbname="$url"} --pgdata="$target.part" --format=tar --gzip --wal-method=stream --checkpoint=fast
mv "$target.part" "$target"
echo "$target"
