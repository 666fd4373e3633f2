#!/bin/sh
# Grafana's user: a member of vigie_reader, which sees the views of vigie_boards and nothing else.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$VIGIE_PG_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE vigie_reader NOLOGIN;
CREATE USER grafana PASSWORD :'password' IN ROLE vigie_reader;
ALTER ROLE grafana SET statement_timeout = '30s';
ALTER ROLE grafana SET default_transaction_read_only = on;
SQL
