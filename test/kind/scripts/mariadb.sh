#!/bin/sh
# A MariaDB with a volume for its data, its TLS files from a Secret, and an account that may reload them and nothing else.
set -e
if [ ! -d /data/mysql ]; then
  mariadb-install-db --no-defaults --datadir=/data --auth-root-authentication-method=normal --skip-test-db >/dev/null
fi
cat >/tmp/accounts.sql <<SQL
CREATE USER IF NOT EXISTS reloader@'%' IDENTIFIED BY '$(cat /account/password)';
GRANT RELOAD ON *.* TO reloader@'%';
SQL
exec mariadbd --no-defaults --datadir=/data --socket=/tmp/socket --bind-address=0.0.0.0 --skip-name-resolve \
  --innodb-flush-log-at-trx-commit=2 --innodb-buffer-pool-size=32M --init-file=/tmp/accounts.sql \
  --ssl-ca=/tls/ca.crt --ssl-cert=/tls/tls.crt --ssl-key=/tls/tls.key
