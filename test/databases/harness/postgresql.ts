import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../../controlplane/harness/process.ts'
import type { Place, Runner } from './database.ts'
import { asServer } from './server-user.ts'

/** Who comes over the socket file is the administrator. */
const administrator = 'local all all trust\n'

const configure = (place: Place): void => {
  const data = join(place.folder, 'data')
  if (place.config === undefined) {
    // "cert" wants a certificate whose common name is the role.
    writeFileSync(join(data, 'pg_hba.conf'), `${administrator}hostssl all all 127.0.0.1/32 cert\n`)
    return
  }
  appendFileSync(join(data, 'postgresql.conf'), `include '${join(place.config, 'postgresql.conf')}'\n`)
  const hba = readFileSync(join(place.config, 'pg_hba.conf'), 'utf8')
  writeFileSync(join(data, 'pg_hba.conf'), `${hba}${administrator}`)
  writeFileSync(join(data, 'pg_ident.conf'), readFileSync(join(place.config, 'pg_ident.conf')))
}

/** What the ConfigMap says where there is one. */
const tls = ({ config, volume }: Place): Record<string, string> =>
  config === undefined
    ? {
        ...{ ssl: 'on', ssl_min_protocol_version: 'TLSv1.2', ssl_cert_file: volume.path('tls.crt') },
        ...{ ssl_key_file: volume.path('tls.key'), ssl_ca_file: volume.path('ca.crt') },
      }
    : {}

/** PostgreSQL refuses to run as root. */
export const postgresql: Runner = {
  dialect: 'postgresql',
  async initialise(place) {
    const data = join(place.folder, 'data')
    const [command, ...args] = asServer(place.installation.start('bin/initdb'))
    const own = ['--pgdata', data, '--username=postgres', '--auth=trust', '--no-sync', '--no-locale', '--encoding=UTF8']
    await must(command, [...args, ...own])
    configure(place)
  },
  command: (place) => {
    const settings = {
      ...{ listen_addresses: '127.0.0.1', port: String(place.port), unix_socket_directories: place.folder },
      ...{ fsync: 'off', ...tls(place) },
    }
    return [
      ...place.installation.start('bin/postgres'),
      ...['-D', join(place.folder, 'data')],
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ]
  },
  async statement(place, sql) {
    const connection = ['--host', place.folder, '--port', String(place.port), '--username=postgres', '--no-psqlrc']
    await must('psql', [...connection, '--set=ON_ERROR_STOP=1', '--dbname=postgres'], { stdin: sql })
  },
  // What pg_reload_conf() sends. It answers nothing, and says in the log alone when it kept the old files.
  reload: (_, process) => {
    process.signal('SIGHUP')
    return Promise.resolve()
  },
  stopSignal: 'SIGINT',
}
