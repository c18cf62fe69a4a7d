#!/usr/bin/env bash
# Make a new data folder for PostgreSQL from a base backup and the archived WAL, as it was at a moment.
#   postgres-restore.sh BASE WAL-FOLDER NEW-DATA-FOLDER ['2026-11-21 09:30:00+00']
# Without a moment everything that was archived is replayed. Start PostgreSQL on the new folder afterwards, as its user:
# it replays, then opens for writing on a timeline of its own. The old data folder is not touched.
set -euo pipefail
base=$1 wal=$(cd "$2" && pwd) new=$3 moment=${4:-}

if [ -e "$new" ] && [ -n "$(ls -A "$new")" ]; then
    echo "$new is not empty: restore into a new folder" >&2
    exit 2
fi
case $wal$moment in *[\'\"\\]*) echo "no quotes in names, please" >&2; exit 2 ;; esac
umask 077
mkdir -p "$new"
tar -xzf "$base/base.tar.gz" -C "$new"
mkdir -p "$new/pg_wal"
tar -xzf "$base/pg_wal.tar.gz" -C "$new/pg_wal"
# PostgreSQL replays only with room for as many connections, workers and locks as there were. What was given on a command
# line is not in the backup's configuration, but the server noted it.
noted=$(command -v pg_controldata || echo "/usr/lib/postgresql/$(cat "$new/PG_VERSION")/bin/pg_controldata")
{
    if [ -x "$noted" ]; then
        LC_ALL=C "$noted" "$new" | sed -nE 's/^(max_[a-z_]+) setting: +([0-9]+)$/\1 = \2/p' |
            sed -E 's/^max_prepared_xacts/max_prepared_transactions/; s/^max_locks_per_xact/max_locks_per_transaction/'
    else
        echo "no pg_controldata here: give max_connections and its like as they were" >&2
    fi
    echo "restore_command = 'cp \"$wal/%f\" \"%p\"'"
    echo "recovery_target_timeline = 'latest'"
    echo "recovery_target_action = 'promote'"
    if [ -n "$moment" ]; then echo "recovery_target_time = '$moment'"; fi
} >> "$new/postgresql.auto.conf"
touch "$new/recovery.signal"
chmod 0700 "$new"
echo "Start PostgreSQL on $new; when it answers, verify it with: hortus verify"
