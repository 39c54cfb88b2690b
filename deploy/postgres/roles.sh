#!/bin/bash
# Runs once, when the image has made its data directory. Three roles beside the superuser, who is for people:
# floodgate_owner owns the tables and migrates them, floodgate is what web and workers are, floodgate_monitor may look.
set -eu

psql --set ON_ERROR_STOP=1 --username postgres --dbname floodgate <<'SQL'
\set owner_password `cat /run/secrets/owner_password`
\set app_password `cat /run/secrets/app_password`
\set monitor_password `cat /run/secrets/monitor_password`

CREATE ROLE floodgate LOGIN PASSWORD :'app_password';
CREATE ROLE floodgate_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE floodgate_monitor LOGIN PASSWORD :'monitor_password';
GRANT pg_monitor TO floodgate_monitor;
-- The app makes tables too, of versions and records; the owner may hand them over, and change them in migrations.
GRANT floodgate TO floodgate_owner;

ALTER DATABASE floodgate OWNER TO floodgate_owner;
REVOKE ALL ON DATABASE floodgate FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE floodgate TO floodgate;
GRANT CONNECT ON DATABASE floodgate TO floodgate_monitor;

ALTER SCHEMA public OWNER TO floodgate_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO floodgate;
ALTER DEFAULT PRIVILEGES FOR ROLE floodgate_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO floodgate;
ALTER DEFAULT PRIVILEGES FOR ROLE floodgate_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO floodgate;
SQL
