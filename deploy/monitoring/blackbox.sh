#!/bin/sh
# The exporter reads no environment: its configuration is made at each start. It asks caddy for the site by its name.
set -eu

# A certificate of Caddy's own authority, which signs for localhost, is not one that others trust.
case "$SITE_ADDRESS" in localhost | *.localhost) is_own=true ;; *) is_own=false ;; esac

cat >/tmp/blackbox.yml <<END
modules:
  site:
    prober: http
    timeout: 5s
    http:
      preferred_ip_protocol: ip4
      headers: { Host: "$SITE_ADDRESS" }
      tls_config: { server_name: "$SITE_ADDRESS", insecure_skip_verify: $is_own }
END
exec blackbox_exporter --config.file=/tmp/blackbox.yml "$@"
