/** What a test does with a control plane that somebody else started: kubectl, helm, kubeconfigs, the audit log. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AuditLine } from './audit.ts'
import { AuditReader } from './audit.ts'
import { kubeconfig } from './credentials.ts'
import type { Credential } from './credentials.ts'
import { Reaper, eventually, must, run } from './process.ts'
import type { Output } from './process.ts'

/** Everything that travels from the process that started a control plane to the tests that use it. */
export interface ConnectionInfo {
  /** `https://127.0.0.1:PORT` */
  readonly server: string
  readonly caFile: string
  readonly adminToken: string
  readonly adminKubeconfig: string
  /** Tokens of `ControlPlaneOptions.users`, by name. */
  readonly userTokens: Readonly<Record<string, string>>
  /** Folder of the binaries. */
  readonly binaries: string
  /** Data, logs and credentials; removed at the end unless something failed. */
  readonly dir: string
  readonly auditFile: string | undefined
}

export class Connection {
  readonly info: ConnectionInfo
  readonly #audit: AuditReader | undefined
  #reaper: Reaper | undefined

  constructor(info: ConnectionInfo) {
    this.info = info
    this.#audit = info.auditFile === undefined ? undefined : new AuditReader(info.auditFile)
  }

  get server(): string {
    return this.info.server
  }

  get caFile(): string {
    return this.info.caFile
  }

  get adminToken(): string {
    return this.info.adminToken
  }

  get adminKubeconfig(): string {
    return this.info.adminKubeconfig
  }

  /** Ends the processes of this test process if it dies. */
  get reaper(): Reaper {
    return (this.#reaper ??= new Reaper())
  }

  /** A fresh folder below the control plane's own. */
  tempDir(prefix: string): string {
    return mkdtempSync(join(this.info.dir, `${prefix}-`))
  }

  /** Writes a kubeconfig and returns its path. */
  kubeconfigFor(credential: Credential, namespace?: string): string {
    const file = join(this.info.dir, `kubeconfig-${randomBytes(6).toString('hex')}`)
    writeFileSync(file, kubeconfig(this.server, this.caFile, credential, namespace), { mode: 0o600 })
    return file
  }

  /** A kubeconfig of a user named in `ControlPlaneOptions.users`. */
  kubeconfigOfUser(name: string, namespace?: string): string {
    const token = this.info.userTokens[name]
    if (token === undefined) throw new Error(`the control plane was started without a user ${name}`)
    return this.kubeconfigFor({ token }, namespace)
  }

  /** As system:masters. Never rejects for a failing command: look at `code`. */
  kubectl(args: readonly string[], stdin?: string): Promise<Output> {
    return run(join(this.info.binaries, 'kubectl'), args, this.#runOptions(stdin))
  }

  /** As kubectl, but rejects when the command fails; returns its standard output. */
  async kubectlOk(args: readonly string[], stdin?: string): Promise<string> {
    return (await must(join(this.info.binaries, 'kubectl'), args, this.#runOptions(stdin))).stdout
  }

  /** Applies YAML as system:masters, server-side. */
  apply(manifests: string, namespace?: string): Promise<string> {
    const where = namespace === undefined ? [] : ['-n', namespace]
    return this.kubectlOk(['apply', '--server-side', ...where, '-f', '-'], manifests)
  }

  /** `of`: how kubectl names CRDs. It fails at once over one that has no status yet, instead of waiting. */
  async untilEstablished(...of: readonly string[]): Promise<void> {
    const wait = ['wait', '--for=condition=Established', '--timeout=60s', ...of]
    await eventually(`${of.join(' ')} to be established`, async () => (await this.kubectlOk(wait)) !== '')
  }

  async getJson<T = unknown>(args: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectlOk(['get', ...args, '-o', 'json'])) as T
  }

  helm(args: readonly string[], stdin?: string): Promise<Output> {
    return run(join(this.info.binaries, 'helm'), args, this.#runOptions(stdin))
  }

  async helmOk(args: readonly string[]): Promise<string> {
    return (await must(join(this.info.binaries, 'helm'), args, this.#runOptions())).stdout
  }

  /** Every request so far; a watch appears when it ends. */
  auditLog(): readonly AuditLine[] {
    if (this.#audit === undefined) throw new Error('the control plane was started with audit: false')
    return this.#audit.lines()
  }

  /** Files below `dir/logs`, each with its last lines: what to print when something failed. */
  tailOfLogs(names: readonly string[], lines = 25): string {
    return names
      .map((name) => {
        const file = join(this.info.dir, 'logs', `${name}.log`)
        return `--- ${file}\n${readFileSync(file, 'utf8').split('\n').slice(-lines).join('\n')}`
      })
      .join('\n')
  }

  #runOptions(stdin?: string): { env: NodeJS.ProcessEnv; cwd: string; stdin?: string } {
    // HOME holds kubectl's and helm's caches, keyed by port: a later control plane must not meet those of an earlier one.
    const env = { ...process.env, KUBECONFIG: this.adminKubeconfig, HOME: this.info.dir }
    return { env, cwd: process.cwd(), ...(stdin === undefined ? {} : { stdin }) }
  }
}
