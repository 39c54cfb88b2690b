#!/bin/sh
# Alertmanager reads no environment, and Debian's no URL from a file: its configuration is made at each start.
set -eu

url="$(cat /run/secrets/alert_webhook_url)"
case "$url" in
    "") receiver=nowhere ;; # seen at Alertmanager and in Grafana
    http://* | https://*) receiver=webhook ;;
    *) echo "alert_webhook_url must begin with http:// or https://" >&2 && exit 78 ;;
esac
quoted="$(printf '%s' "${url:-http://nowhere.invalid}" | sed "s/'/''/g")"

umask 077
cat >/tmp/alertmanager.yml <<END
route:
  receiver: $receiver
  group_by: [alertname, app, store, role]
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 4h
receivers:
  - name: nowhere
  - name: webhook
    webhook_configs: [{ url: '$quoted' }]
inhibit_rules:
  # Whoever is told of the cause need not be told of what follows from it.
  - { source_matchers: [alertname = WebDown], target_matchers: ['alertname =~ "SiteUnreachable|TargetDown"'] }
  - { source_matchers: [alertname = StoreDown], target_matchers: [alertname = StoreUnreachable] }
  - source_matchers: [alertname = ErrorBudgetBurnsFast]
    target_matchers: [alertname = ErrorBudgetBurnsSlowly]
    equal: [app, slo]
END
exec alertmanager --config.file=/tmp/alertmanager.yml "$@"
