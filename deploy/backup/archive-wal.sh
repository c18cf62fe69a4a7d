#!/usr/bin/env bash
# PostgreSQL's archive_command: keep one finished piece of WAL. archive-wal.sh "%p" "%f" FOLDER
# It ends with 0 only when the piece is on disk whole; until then PostgreSQL keeps it and asks again.
set -euo pipefail
piece=$1 name=$2 folder=$3

mkdir -p "$folder"
if [ -e "$folder/$name" ]; then
    cmp -s "$piece" "$folder/$name" # asked twice for the same is well; another piece of that name is not
    exit
fi
half=$folder/.$name.$$
trap 'rm -f "$half"' EXIT
cp "$piece" "$half"
sync "$half"
mv "$half" "$folder/$name"
sync "$folder"
