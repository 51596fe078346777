import { join } from 'node:path'
import type { ProxyPlace, ProxyProgram } from './proxy.ts'

const ini = ({ port, folder, volume, upstream }: ProxyPlace): string =>
  [
    '[databases]',
    `postgres = host=127.0.0.1 port=${upstream.port}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = cert',
    `auth_file = ${join(folder, 'users.txt')}`,
    'client_tls_sslmode = verify-full',
    `client_tls_cert_file = ${volume.path('tls.crt')}`,
    `client_tls_key_file = ${volume.path('tls.key')}`,
    `client_tls_ca_file = ${volume.path('ca.crt')}`,
    ...(upstream.volume === undefined
      ? []
      : [
          'server_tls_sslmode = verify-full',
          `server_tls_cert_file = ${upstream.volume.path('tls.crt')}`,
          `server_tls_key_file = ${upstream.volume.path('tls.key')}`,
          `server_tls_ca_file = ${upstream.volume.path('ca.crt')}`,
        ]),
    '',
  ].join('\n')

/** https://www.pgbouncer.org/config.html#tls-settings */
export const pgbouncer: ProxyProgram = {
  name: 'PgBouncer',
  package: 'pgbouncer',
  // With auth_type cert the common name is the user, whom the file has to know all the same.
  files: (place) => ({ 'pgbouncer.ini': ini(place), 'users.txt': '"app" ""\n' }),
  command: ({ installation, folder }) => [...installation.start('/usr/sbin/pgbouncer'), join(folder, 'pgbouncer.ini')],
  // It answers nothing, and says in its log alone that it keeps the old files.
  reload: (_, process) => {
    process.signal('SIGHUP')
    return Promise.resolve()
  },
}
