import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../../controlplane/harness/process.ts'
import type { Runner } from './database.ts'

/** PostgreSQL refuses to run as root; in a user namespace of its own, root is nobody. */
const notAsRoot = (command: readonly [string, ...string[]]): [string, ...string[]] =>
  process.getuid?.() === 0 ? ['unshare', '--user', '--map-user=65534', '--map-group=65534', ...command] : [...command]

export const postgresql: Runner = {
  dialect: 'postgresql',
  async initialise(place) {
    const data = join(place.folder, 'data')
    const [command, ...args] = notAsRoot(place.installation.start('bin/initdb'))
    const own = ['--pgdata', data, '--username=postgres', '--auth=trust', '--no-sync', '--no-locale', '--encoding=UTF8']
    await must(command, [...args, ...own])
    // "cert" wants a certificate whose common name is the role.
    writeFileSync(join(data, 'pg_hba.conf'), 'local all all trust\nhostssl all all 127.0.0.1/32 cert\n')
  },
  command: (place) => {
    const settings = {
      ...{ listen_addresses: '127.0.0.1', port: String(place.port), unix_socket_directories: place.folder },
      ...{ fsync: 'off', ssl: 'on', ssl_min_protocol_version: 'TLSv1.2' },
      ssl_cert_file: place.volume.path('tls.crt'),
      ssl_key_file: place.volume.path('tls.key'),
      ssl_ca_file: place.volume.path('ca.crt'),
    }
    return [
      ...notAsRoot(place.installation.start('bin/postgres')),
      ...['-D', join(place.folder, 'data')],
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ]
  },
  // What pg_reload_conf() sends. It answers nothing, and says in the log alone when it kept the old files.
  reload: (_, process) => {
    process.signal('SIGHUP')
    return Promise.resolve()
  },
  stopSignal: 'SIGINT',
}
