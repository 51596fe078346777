#!/bin/sh
# A PostgreSQL with a volume for its data, its TLS files from a Secret, and an account that may reload them and nothing else.
set -e
data=/data/postgresql
if [ ! -f $data/complete ]; then
  rm -rf $data
  initdb --pgdata $data --username=postgres --auth=trust --no-sync --no-locale --encoding=UTF8
  postgres --single -D $data postgres >/dev/null <<SQL
CREATE ROLE reloader LOGIN PASSWORD '$(cat /account/password)'
GRANT EXECUTE ON FUNCTION pg_reload_conf() TO reloader
SQL
  printf 'local all all trust\nhostssl all reloader all scram-sha-256\n' >$data/pg_hba.conf
  touch $data/complete
fi
# fsGroup has made it the group's, too, when the volume was mounted; PostgreSQL does not start on such a folder.
chmod 0700 $data
exec postgres -D $data -c listen_addresses='*' -c unix_socket_directories=/tmp -c fsync=off -c ssl=on \
  -c ssl_cert_file=/tls/tls.crt -c ssl_key_file=/tls/tls.key -c ssl_ca_file=/tls/ca.crt
