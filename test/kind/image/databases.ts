/** An image with MariaDB and PostgreSQL, of Debian's packages as they lie in the cache, for pods that are real servers. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../../controlplane/harness/process.ts'
import { debian } from '../../databases/harness/install.ts'
import { writeArchive, writeLayout } from './archive.ts'

export const databasesImage = 'localhost/databases:e2e'
/** Of the account that both servers run as. */
export const databaseUser = 10_001

const packages = [
  ...['postgresql-17', 'mariadb-server-core', 'mariadb-client-core'],
  // What their own scripts call.
  ...['dash', 'coreutils', 'sed', 'grep', 'hostname'],
]

/** Half of all: a compiler of queries, which PostgreSQL does without where it is absent; Perl, and the sources of locales. */
const unused = [
  ...['lib/postgresql/17/lib/llvmjit.so', 'lib/x86_64-linux-gnu/libLLVM*', 'lib/x86_64-linux-gnu/libz3*'],
  ...['lib/x86_64-linux-gnu/perl*', 'share/perl*', 'share/i18n'],
].map((path) => `usr/${path}`)

/** Undefined where Debian's packages cannot be had. `folder`: where the archive goes. */
export const buildDatabasesImage = async (folder: string): Promise<string | undefined> => {
  const installation = await debian('trixie', packages)
  if (installation === undefined) return undefined
  mkdirSync(folder, { recursive: true })
  const work = mkdtempSync(join(folder, 'databases-'))
  try {
    const added = join(work, 'added')
    mkdirSync(join(added, 'tmp'), { recursive: true })
    mkdirSync(join(added, 'etc'))
    await must('chmod', ['1777', join(added, 'tmp')])
    writeFileSync(
      join(added, 'etc/passwd'),
      `root:x:0:0::/:/bin/sh\ndatabase:x:${databaseUser}:${databaseUser}::/:/bin/sh\n`,
    )
    writeFileSync(join(added, 'etc/group'), `root:x:0:\ndatabase:x:${databaseUser}:\n`)
    writeFileSync(join(added, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files dns\n')
    const layout = join(work, 'layout')
    await writeLayout(layout, {
      name: databasesImage,
      layers: [
        { folder: installation.root, owner: '0:0', without: unused },
        { folder: added, owner: '0:0' },
      ],
      config: {
        User: `${databaseUser}:${databaseUser}`,
        Env: ['PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      },
    })
    const archive = join(folder, 'databases.tar')
    await writeArchive(archive, layout)
    return archive
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
