import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../../controlplane/harness/process.ts'
import type { Place, Runner } from './database.ts'
import { tls } from './mysql.ts'
import { asServer } from './server-user.ts'

const share = ({ installation: { root } }: Place): string => {
  const modern = join(root, 'usr/share/mariadb')
  return existsSync(join(modern, 'mariadb_system_tables.sql')) ? modern : join(root, 'usr/share/mysql')
}

const common = (place: Place): string[] => [
  place.config === undefined ? '--no-defaults' : `--defaults-file=${join(place.config, 'server.cnf')}`,
  `--basedir=${join(place.installation.root, 'usr')}`,
  `--datadir=${join(place.folder, 'data')}`,
  `--lc-messages-dir=${share(place)}`,
  `--character-sets-dir=${join(share(place), 'charsets')}`,
  `--plugin-dir=${join(place.installation.root, 'usr/lib/mysql/plugin')}`,
  // wsrep_sst_mariabackup hands this on to mariadb-backup, which has no such option.
  ...(place.tools === undefined ? ['--innodb-buffer-pool-size=32M'] : []),
]

/** What mariadb-install-db feeds the server, whose own script needs a whole installation. */
const bootstrap = (place: Place): string => {
  const folder = share(place)
  const prefix = existsSync(join(folder, 'mariadb_system_tables.sql')) ? 'mariadb' : 'mysql'
  const files = [
    `${prefix}_system_tables`,
    `${prefix}_performance_tables`,
    `${prefix}_system_tables_data`,
    'fill_help_tables',
  ]
  return [
    'create database if not exists mysql;\nuse mysql;\nSET @auth_root_socket=NULL;\n',
    ...files.map((name) => readFileSync(join(folder, `${name}.sql`), 'utf8')),
    ...['maria_add_gis_sp_bootstrap', `${prefix}_sys_schema`].map((name) =>
      readFileSync(join(folder, `${name}.sql`), 'utf8'),
    ),
  ].join('')
}

const statement = async (place: Place, sql: string): Promise<void> => {
  const [command, ...args] = place.installation.start('/usr/bin/mariadb')
  const socket = `--socket=${join(place.folder, 'socket')}`
  await must(command, [...args, '--no-defaults', socket, '--user=root'], { stdin: sql })
}

export const mariadb: Runner = {
  dialect: 'mysql',
  async initialise(place) {
    const [command, ...args] = asServer(place.installation.start('/usr/sbin/mariadbd'))
    const own = ['--bootstrap', '--log-warnings=0', '--enforce-storage-engine=', '--max-allowed-packet=8M']
    await must(command, [...args, ...common(place), ...own], { stdin: bootstrap(place) })
  },
  command: (place) => [
    ...place.installation.start('/usr/sbin/mariadbd'),
    ...common(place),
    ...['--bind-address=127.0.0.1', `--port=${place.port}`, `--socket=${join(place.folder, 'socket')}`],
    ...[`--pid-file=${join(place.folder, 'pid')}`, ...tls(place)],
  ],
  reload: (place) => statement(place, 'FLUSH SSL'),
  statement,
}
