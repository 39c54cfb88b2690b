#!/bin/sh
# One image, one role per container. Each role ends in exec, so the real process gets the signals. Nothing here waits for a
# store: Compose orders the start, and every process recovers by itself from a store that is late.
set -eu

usage() {
    echo "entrypoint: $1" >&2
    echo "usage: entrypoint.sh web | worker QUEUE | beat | migrate | manage ARGS..." >&2
    exit 64 # EX_USAGE
}

# The defaults of these name sockets of devstack, which no container has; say so before Django is loaded.
require() {
    missing=""
    for name in "$@"; do
        eval "value=\${$name:-\${${name}_FILE:-}}"
        [ -n "$value" ] || missing="$missing $name"
    done
    [ -z "$missing" ] && return
    echo "entrypoint: set these environment variables:$missing" >&2
    exit 78 # EX_CONFIG
}

migrate() {
    python manage.py migrate --noinput
    [ -z "${READ_DATABASE_URL:-}" ] || python manage.py migrate --noinput --database read
    # What the app makes, changes and drops itself is the app's own.
    [ -z "${APP_ROLE:-}" ] || python manage.py hand_over_tables "$APP_ROLE"
    exec python manage.py load_exchange_rates
}

cd "$(dirname "$0")/.."
[ $# -gt 0 ] || usage "no role given"
role="$1"
shift

case "$role" in
    web | beat | migrate) [ $# -eq 0 ] || usage "'$role' takes no arguments" ;;
    worker)
        case "$*" in
            imports) processes="${IMPORT_WORKERS:-2}" ;;
            flush) processes="${FLUSH_WORKERS:-2}" ;;
            batches | events) processes=2 ;; # a long replay and the consumer keep one of each busy
            *) usage "'worker' takes one of these queues: imports, flush, batches, events" ;;
        esac
        ;;
    manage) [ $# -gt 0 ] || usage "'manage' needs a command" ;;
    *) usage "no role is called '$role'" ;;
esac
require SECRET_KEY DATABASE_URL VALKEY_URL VALKEY_CACHE_URL

case "$role" in
    web) exec gunicorn -c config/gunicorn.py config.asgi:application ;;
    worker) exec python -m config.celerycommand worker -Q "$1" -n "$1@%h" --concurrency "$processes" --loglevel INFO \
        --without-gossip --without-mingle --without-heartbeat ;;
    beat) exec python -m config.celerycommand beat --loglevel INFO --pidfile= ;;
    migrate) migrate ;;
    manage) exec python manage.py "$@" ;;
esac
