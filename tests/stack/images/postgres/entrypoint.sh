#!/bin/bash
# What the official image's does: makes the data directory once, with POSTGRES_DB, runs what lies in
# /docker-entrypoint-initdb.d on a server that listens on its socket only, then starts the real one.
set -eu
[ "${1:-}" = postgres ] || exec "$@"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # shellcheck disable=SC2086  # several options
    initdb --pgdata "$PGDATA" --username postgres --pwfile "$POSTGRES_PASSWORD_FILE" --auth-local trust \
        --auth-host scram-sha-256 ${POSTGRES_INITDB_ARGS:-}
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    pg_ctl --pgdata "$PGDATA" --wait --options "-c listen_addresses='' -k /var/run/postgresql" start
    createdb --host /var/run/postgresql --username postgres "$POSTGRES_DB"
    export PGHOST=/var/run/postgresql
    for script in /docker-entrypoint-initdb.d/*; do [ -f "$script" ] && "$script"; done
    pg_ctl --pgdata "$PGDATA" --wait --mode fast stop
fi
exec "$@" -D "$PGDATA" -c listen_addresses='*' -k /var/run/postgresql
