/** Members of a Galera group of MariaDB 11.8, from what a profile says of them, and the programs that copy one to another. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, type Reaper } from '../../controlplane/harness/process.ts'
import { Database } from './database.ts'
import { debian } from './install.ts'
import { type Member, query } from './members.ts'
import type { Pod } from './profile.ts'

/** Galera, as a library for MariaDB of the same suite. */
export const installGalera = async (): Promise<string | undefined> => {
  const installation = await debian('trixie', ['galera-4'])
  return installation === undefined ? undefined : join(installation.root, 'usr/lib/galera/libgalera_smm.so')
}

/** Starts the loader under the name of the program: the script of a transfer seeks `socat` among those that listen. */
const launcher = (root: string, loader: string, program: string): string => {
  const libraries = [join(root, 'usr/lib/x86_64-linux-gnu'), join(root, 'usr/lib')].join(':')
  const file = join(root, 'usr/bin', program)
  return `#!/bin/sh\nexec '${loader}' --argv0 ${program} --library-path '${libraries}' '${file}' "$@"\n`
}

/** Puts what a transfer by mariadb-backup runs into `folder`, for PATH. False where it cannot be had here. */
export const installTransfer = async (folder: string): Promise<boolean> => {
  const installation = await debian('trixie', ['mariadb-server', 'mariadb-backup', 'socat', 'lsof'])
  if (installation === undefined) return false
  const { root } = installation
  mkdirSync(join(folder, 'loaders'), { recursive: true })
  for (const script of ['wsrep_sst_common', 'wsrep_sst_mariabackup'])
    symlinkSync(join(root, 'usr/bin', script), join(folder, script))
  for (const program of ['mariadb-backup', 'mbstream', 'my_print_defaults', 'socat', 'lsof']) {
    const loader = join(folder, 'loaders', program)
    symlinkSync(join(root, 'usr/lib64/ld-linux-x86-64.so.2'), loader)
    writeFileSync(join(folder, program), launcher(root, loader, program))
    chmodSync(join(folder, program), 0o755)
  }
  return true
}

export interface MemberInit {
  readonly reaper: Reaper
  readonly pod: Pod
  /** Of Galera. */
  readonly library: string
  readonly ordinal: number
  /** A member to which it comes; without one it founds the group. */
  readonly first?: Member | undefined
  /** Folder of the programs that copy a member: the one that comes has no data then. Without it the data of both are as new. */
  readonly tools?: string
  /** `server.cnf` in place of the one of its pod. */
  readonly serverCnf?: string
}

/** Undefined where MariaDB cannot be had here; rejects with the end of its log where it does not become a member. */
export const startMember = async (init: MemberInit): Promise<Member | undefined> => {
  const { reaper, pod, library, ordinal, first, tools } = init
  const [groupPort, incrementsPort, copyPort] = [await freePort(), await freePort(), await freePort()]
  // As the comment above the line asks: other options go into the same one.
  const own = `;gmcast.listen_addr=ssl://127.0.0.1:${groupPort};ist.recv_addr=127.0.0.1:${incrementsPort}"`
  const given = init.serverCnf ?? pod.files['server.cnf'] ?? ''
  const config = { ...pod.files, 'server.cnf': given.replace(/(wsrep_provider_options=.*)"$/m, `$1${own}`) }
  const args = [
    ...['--wsrep-on=ON', `--wsrep-provider=${library}`, '--wsrep-cluster-name=orders', '--binlog-format=ROW'],
    ...['--innodb-autoinc-lock-mode=2', `--wsrep-node-name=orders-${ordinal}`],
    `--wsrep-node-address=127.0.0.1:${groupPort}`,
    `--wsrep-cluster-address=gcomm://${first === undefined ? '' : `127.0.0.1:${first.groupPort}`}`,
    ...(tools === undefined
      ? ['--wsrep-sst-method=skip']
      : [
          ...['--wsrep-sst-method=mariabackup', '--wsrep-sst-auth=root:'],
          `--wsrep-sst-receive-address=127.0.0.1:${copyPort}`,
        ]),
  ]
  const database = await Database.start('MariaDB 11.8', pod.volume, reaper, {
    ...{ config, args, empty: tools !== undefined && first !== undefined },
    ...(tools === undefined ? {} : { tools }),
  })
  return database === undefined ? undefined : { database, groupPort }
}

export const statusOf = async ({ database }: Member, name: string): Promise<string> =>
  (await query('/usr/bin/mariadb', database, `SHOW STATUS LIKE '${name}'`)).split('\t')[1] ?? ''
