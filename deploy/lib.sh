# shellcheck shell=bash
# What the scripts of this folder share. They run where docker-compose.yml is.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

export COMPOSE_PROGRESS=quiet

say() { printf '%s %s\n' "$(date -u +%H:%M:%S)" "$*"; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

containers() { docker compose ps --quiet "$@"; }

# Whether the stores of a container of web take its writes, as its own readiness says.
is_ready() {
    docker exec "$1" python -c \
        "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/ready', timeout=5)" >/dev/null 2>&1
}

wait_until_ready() {
    for _ in $(seq "${READY_SECONDS:-180}"); do
        is_ready "$1" && return
        [ "$(docker inspect --format '{{.State.Status}}' "$1")" = running ] || return 1
        sleep 1
    done
    return 1
}

manage() { docker compose run --rm --no-deps -T web manage "$@"; }

# valkey-cli on the truth store, as its administrator.
truth() {
    docker compose exec -T valkey sh -c \
        'VALKEYCLI_AUTH="$(cat /run/secrets/valkey_admin_password)" exec valkey-cli --user admin "$@"' truth "$@"
}
