import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../../controlplane/harness/process.ts'
import type { Place, Runner } from './database.ts'
import { asServer } from './server-user.ts'

const common = ({ installation: { root }, folder, config }: Place): string[] => [
  config === undefined ? '--no-defaults' : `--defaults-file=${join(config, 'server.cnf')}`,
  `--basedir=${join(root, 'usr')}`,
  `--datadir=${join(folder, 'data')}`,
  `--lc-messages-dir=${join(root, 'usr/share/mysql')}`,
  `--plugin-dir=${join(root, 'usr/lib/mysql/plugin')}`,
  '--secure-file-priv=NULL',
]

/** What the ConfigMap says where there is one. */
export const tls = ({ config, volume }: Place): string[] =>
  config === undefined
    ? [
        ...['--require-secure-transport=ON', '--tls-version=TLSv1.2,TLSv1.3', `--ssl-ca=${volume.path('ca.crt')}`],
        ...[`--ssl-cert=${volume.path('tls.crt')}`, `--ssl-key=${volume.path('tls.key')}`],
      ]
    : []

const statement = async (place: Place, sql: string): Promise<void> => {
  const [command, ...args] = place.installation.start('/usr/bin/mysql')
  const socket = `--socket=${join(place.folder, 'socket')}`
  await must(command, [...args, '--no-defaults', socket, '--user=root'], { stdin: sql })
}

export const mysql: Runner = {
  dialect: 'mysql',
  async initialise(place) {
    // It wants to make the folder itself.
    rmSync(join(place.folder, 'data'), { recursive: true })
    const [command, ...args] = asServer(place.installation.start('/usr/sbin/mysqld'))
    await must(command, [...args, ...common(place), '--initialize-insecure'])
  },
  command: (place) => [
    ...place.installation.start('/usr/sbin/mysqld'),
    ...common(place),
    ...['--bind-address=127.0.0.1', `--port=${place.port}`, `--socket=${join(place.folder, 'socket')}`],
    ...[`--pid-file=${join(place.folder, 'pid')}`, '--mysqlx=OFF', '--disable-log-bin', '--performance-schema=OFF'],
    ...['--innodb-buffer-pool-size=32M', ...tls(place)],
  ],
  reload: (place) => statement(place, 'ALTER INSTANCE RELOAD TLS'),
  statement,
}
