/**
 * Who runs the servers. Started by root they run as nobody, in a group that may read the files of a Secret, as a container with
 * runAsUser and fsGroup does; started by anybody else they run as that one, to whom the files belong.
 */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { cacheFolder } from './install.ts'

const others = { execute: 0o001 }

/** undefined where the tests themselves run as an ordinary user. */
export const serverUser = process.getuid?.() === 0 ? ({ uid: 65534, gid: 65534, fsGroup: 64999 } as const) : undefined

/** The topmost folder above the programs that nobody but its owner may enter, as /root. */
const closedFolder = (): string | undefined => {
  let closed: string | undefined
  for (let folder = cacheFolder(); folder !== dirname(folder); folder = dirname(folder))
    if ((statSync(folder).mode & others.execute) === 0) closed = folder
  return closed
}

/** The programs alone are shown where everything beside them is closed, under the path that they have. */
const opened = `
mount --bind "$1" /mnt
mount -t tmpfs -o mode=0755 none "$2"
mkdir -p "$1"
mount --move /mnt "$1"
shift 2
exec "$@"
`

/** The command, run as the servers' user. */
export const asServer = (command: readonly [string, ...string[]]): readonly [string, ...string[]] => {
  if (serverUser === undefined) return command
  const { uid, gid, fsGroup } = serverUser
  const plain = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, `--groups=${fsGroup}`, ...command] as const
  const closed = closedFolder()
  if (closed === undefined) return [...plain]
  return ['unshare', '--mount', 'sh', '-ec', opened, 'sh', cacheFolder(), closed, ...plain]
}
