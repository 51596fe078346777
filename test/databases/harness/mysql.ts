import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../../controlplane/harness/process.ts'
import type { Place, Runner } from './database.ts'

const common = ({ installation: { root }, folder }: Place): string[] => [
  '--no-defaults',
  ...(process.getuid?.() === 0 ? ['--user=root'] : []),
  `--basedir=${join(root, 'usr')}`,
  `--datadir=${join(folder, 'data')}`,
  `--lc-messages-dir=${join(root, 'usr/share/mysql')}`,
  `--plugin-dir=${join(root, 'usr/lib/mysql/plugin')}`,
  '--secure-file-priv=NULL',
]

const statement = async (place: Place, sql: string): Promise<void> => {
  const [command, ...args] = place.installation.start('/usr/bin/mysql')
  const socket = `--socket=${join(place.folder, 'socket')}`
  await must(command, [...args, '--no-defaults', socket, '--user=root', `--execute=${sql}`])
}

export const mysql: Runner = {
  dialect: 'mysql',
  async initialise(place) {
    // It wants to make the folder itself.
    rmSync(join(place.folder, 'data'), { recursive: true })
    const [command, ...args] = place.installation.start('/usr/sbin/mysqld')
    await must(command, [...args, ...common(place), '--initialize-insecure'])
  },
  command: (place) => [
    ...place.installation.start('/usr/sbin/mysqld'),
    ...common(place),
    ...['--bind-address=127.0.0.1', `--port=${place.port}`, `--socket=${join(place.folder, 'socket')}`],
    ...[`--pid-file=${join(place.folder, 'pid')}`, '--mysqlx=OFF', '--disable-log-bin', '--performance-schema=OFF'],
    ...['--innodb-buffer-pool-size=32M', '--require-secure-transport=ON', '--tls-version=TLSv1.2,TLSv1.3'],
    ...[`--ssl-ca=${place.volume.path('ca.crt')}`, `--ssl-cert=${place.volume.path('tls.crt')}`],
    `--ssl-key=${place.volume.path('tls.key')}`,
  ],
  reload: (place) => statement(place, 'ALTER INSTANCE RELOAD TLS'),
  statement,
}
