/** The box that a cluster runs in: see box.sh. Ending its one process ends everything in it. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ManagedProcess, Reaper, eventually, must, run } from '../../controlplane/harness/process.ts'
import type { Output } from '../../controlplane/harness/process.ts'
import { kindCache } from './cache.ts'

const script = fileURLToPath(new URL('box.sh', import.meta.url))
const namespaces = ['--mount', '--net', '--pid', '--uts', '--ipc']

/** What a box needs of this machine and does not have; empty where all is well. */
export const missingPrivileges = async (): Promise<string[]> => {
  if (process.getuid?.() !== 0) return ['root (containers with systemd inside are started here)']
  const missing: string[] = []
  const tries = async (what: string, code: string): Promise<void> => {
    const { code: exit, stderr } = await run('unshare', [...namespaces, '--fork', 'sh', '-ec', code])
    if (exit !== 0) missing.push(`${what}: ${stderr.trim()}`)
  }
  await tries('namespaces of its own (CAP_SYS_ADMIN)', 'true')
  if (missing.length > 0) return missing
  await tries('a network device (CAP_NET_ADMIN)', 'ip link add eth0 type veth peer name eth0-peer')
  await tries('a bridge of networks', 'ip link add bridge0 type bridge')
  const overlay =
    'd=$(mktemp -d) && mount -t tmpfs tmpfs "$d" && mkdir "$d/a" "$d/b" "$d/c" "$d/d" && mount -t overlay overlay -o "lowerdir=$d/a,upperdir=$d/b,workdir=$d/c" "$d/d"; rmdir "$d" 2>/dev/null || :'
  await tries('overlayfs', overlay)
  const cgroup = 'd=$(ls -d /sys/fs/cgroup/memory /sys/fs/cgroup | head -n 1)/dbtls-try-$$ && mkdir "$d" && rmdir "$d"'
  await tries('control groups that can be written', cgroup)
  return missing
}

export class Box {
  /** What this box has written; goes with it. */
  readonly folder: string
  readonly #holder: ManagedProcess
  readonly #environment: Readonly<Record<string, string>>
  readonly #pid: string

  private constructor(folder: string, holder: ManagedProcess, pid: string, environment: Record<string, string>) {
    this.folder = folder
    this.#holder = holder
    this.#pid = pid
    this.#environment = environment
  }

  /** `system`: the root made by system.sh. `stores`: folders of images that podman reads. */
  static async start(system: string, stores: readonly string[] = []): Promise<Box> {
    const folder = mkdtempSync(join(kindCache(), 'run-'))
    const reaper = new Reaper()
    const holder = new ManagedProcess(reaper, {
      name: 'box',
      command: 'unshare',
      args: [
        ...namespaces,
        '--fork',
        '--kill-child',
        '--propagation=private',
        'sh',
        script,
        system,
        folder,
        kindCache(),
      ],
      logFile: join(folder, 'box.log'),
    })
    try {
      await eventually('the box', () => Promise.resolve(existsSync(join(folder, 'ready')) || !holder.running))
      if (!holder.running) throw new Error(`the box did not start: ${holder.logs()}`)
      const pid = (await must('pgrep', ['--parent', String(holder.pid)])).stdout.trim()
      return new Box(folder, holder, pid, configurePodman(folder, stores))
    } catch (error) {
      await holder.kill()
      throw error
    }
  }

  get #enter(): readonly string[] {
    return ['--target', this.#pid, '--mount', '--net', '--pid', '--uts', '--ipc']
  }

  /** Arguments of nsenter for a program of this machine that is to see the box's network alone. */
  get network(): readonly string[] {
    return ['--target', this.#pid, '--net']
  }

  /** Command and arguments that run something in the box. */
  command(command: string, args: readonly string[]): readonly [string, readonly string[]] {
    const environment = Object.entries(this.#environment).map(([name, value]) => `${name}=${value}`)
    return ['nsenter', [...this.#enter, '--', 'env', '--ignore-environment', ...environment, command, ...args]]
  }

  /** Rejects when the command fails. */
  run(command: string, args: readonly string[]): Promise<Output> {
    return must(...this.command(command, args))
  }

  async stop(): Promise<void> {
    // The first process of a pid namespace ignores SIGTERM; all others go with it.
    process.kill(Number(this.#pid), 'SIGKILL')
    await eventually('the end of the box', async () => {
      await this.#thaw()
      return !this.#holder.running
    })
    for (const group of this.#controlGroups())
      await run('find', [...group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', '+'])
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Those of the containers of this box, in each hierarchy. */
  #controlGroups(): (readonly string[])[] {
    const containers = join(this.folder, 'podman/overlay-containers')
    if (!existsSync(containers)) return []
    const ids = readdirSync(containers, { withFileTypes: true }).filter((one) => one.isDirectory())
    return ids.map(({ name }) => ['/sys/fs/cgroup', '-path', `*/libpod_parent/libpod-${name}*`])
  }

  /** A container that was being started is frozen for a moment; with control groups of version 1 nothing frozen can be killed. */
  async #thaw(): Promise<void> {
    for (const group of this.#controlGroups()) {
      const { stdout } = await run('find', [...group, '-name', 'freezer.state'])
      for (const file of stdout.split('\n').filter((line) => line !== '')) {
        try {
          writeFileSync(file, 'THAWED')
        } catch {
          // It has gone meanwhile.
        }
      }
    }
  }
}

/** Storage, run-time folder and settings of podman, all within the box. Returns the environment that names them. */
const configurePodman = (folder: string, stores: readonly string[]): Record<string, string> => {
  const path = (name: string): string => join(folder, name)
  mkdirSync(path('home'))
  writeFileSync(
    path('containers.conf'),
    [
      '[engine]',
      'runtime = "runc"',
      'cgroup_manager = "cgroupfs"',
      'events_logger = "file"',
      '[network]',
      'network_backend = "netavark"',
      '',
    ].join('\n'),
  )
  writeFileSync(
    path('storage.conf'),
    [
      '[storage]',
      'driver = "overlay"',
      `runroot = "${path('podman-run')}"`,
      `graphroot = "${path('podman')}"`,
      '[storage.options]',
      `additionalimagestores = ${JSON.stringify(stores)}`,
      '',
    ].join('\n'),
  )
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: path('home'),
    CONTAINERS_CONF: path('containers.conf'),
    CONTAINERS_STORAGE_CONF: path('storage.conf'),
    KIND_EXPERIMENTAL_PROVIDER: 'podman',
    KUBECONFIG: path('kubeconfig'),
  }
}
