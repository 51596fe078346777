/**
 * A real control plane without Docker: etcd, kube-apiserver and kube-controller-manager as child processes on free
 * ports of 127.0.0.1, with a serving certificate of a CA of its own, RBAC, and an audit log.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { auditPolicy } from './audit.ts'
import { controlPlaneBinaries } from './binaries.ts'
import { Connection } from './connection.ts'
import { kubeconfig, makeServiceAccountKey, makeServingCertificate } from './credentials.ts'
import { ManagedProcess, eventually, freePort } from './process.ts'

export interface TestUser {
  readonly name: string
  readonly groups?: readonly string[]
}

export interface ControlPlaneOptions {
  /** Write an audit log. Default true. */
  readonly audit?: boolean
  /** Added to, and therefore overriding, the API server's flags. */
  readonly apiServerFlags?: readonly string[]
  /** Garbage collection, namespace deletion, default ServiceAccounts. Default true. */
  readonly controllerManager?: boolean
  /** Install the CRDs of this repository before the controller manager starts. Default true; false leaves them to the chart. */
  readonly crds?: boolean
  /** Users beside the administrator, without any right until RBAC grants one. */
  readonly users?: readonly TestUser[]
  /** Where to put the folder of data and logs. Default: the system's temporary folder. */
  readonly dir?: string
}

const crdFolder = fileURLToPath(new URL('../../../crds/', import.meta.url))

const statusOf = (url: string): Promise<number> =>
  new Promise((resolve, reject) => {
    // Readiness is asked before anybody has a token; the operator under test does verify the certificate.
    const sent = url.startsWith('https:') ? httpsRequest(url, { rejectUnauthorized: false }) : request(url)
    sent.once('response', (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    sent.once('error', reject)
    sent.setTimeout(5_000, () => sent.destroy(new Error(`no answer from ${url}`)))
    sent.end()
  })

const controllers = [
  'garbage-collector-controller',
  'namespace-controller',
  'serviceaccount-controller',
  // Gives the cluster's own roles view, edit and admin what the chart adds to them.
  'clusterrole-aggregation-controller',
  // Replace pods after a change of their template; nobody runs them.
  'statefulset-controller',
  'deployment-controller',
  'replicaset-controller',
]

export class ControlPlane extends Connection {
  readonly #ports: { readonly etcd: number; readonly api: number }
  readonly #apiServerArgs: readonly string[]
  #etcd: ManagedProcess | undefined
  #apiServer: ManagedProcess | undefined
  #controllerManager: ManagedProcess | undefined

  private constructor(
    info: Connection['info'],
    ports: { readonly etcd: number; readonly api: number },
    apiServerArgs: readonly string[],
  ) {
    super(info)
    this.#ports = ports
    this.#apiServerArgs = apiServerArgs
    this.reaper.sweep(join(info.dir, 'etcd'))
  }

  /** Starts everything and waits until it answers; on failure the logs are in the error and the folder stays. */
  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const plane = await ControlPlane.#prepare(options)
    try {
      await plane.startEtcd()
      await plane.startApiServer()
      if (options.crds !== false) await plane.installCrds()
      if (options.controllerManager !== false) await plane.startControllerManager()
      return plane
    } catch (error) {
      const started = [plane.#etcd, plane.#apiServer, plane.#controllerManager]
      const names = started.filter((process) => process !== undefined).map((process) => process.name)
      const logs = plane.tailOfLogs(names)
      await plane.stop({ keep: true })
      throw new Error(`the control plane did not start; its folder is ${plane.info.dir}\n${logs}`, { cause: error })
    }
  }

  static async #prepare(options: ControlPlaneOptions): Promise<ControlPlane> {
    const binaries = await controlPlaneBinaries()
    const dir = mkdtempSync(join(options.dir ?? tmpdir(), 'dbtls-control-plane-'))
    mkdirSync(join(dir, 'logs'))
    const ports = { etcd: await freePort(), api: await freePort() }
    const server = `https://127.0.0.1:${ports.api}`
    const serving = await makeServingCertificate(dir, { newAuthority: true })
    const account = await makeServiceAccountKey(dir)

    const adminToken = randomBytes(24).toString('hex')
    const tokens = [`${adminToken},admin,admin,"system:masters"`]
    const userTokens: Record<string, string> = {}
    for (const user of options.users ?? []) {
      const token = randomBytes(24).toString('hex')
      userTokens[user.name] = token
      tokens.push(`${token},${user.name},${user.name},"${(user.groups ?? []).join(',')}"`)
    }
    const tokenFile = join(dir, 'tokens.csv')
    writeFileSync(tokenFile, `${tokens.join('\n')}\n`, { mode: 0o600 })
    const adminKubeconfig = join(dir, 'admin.kubeconfig')
    writeFileSync(adminKubeconfig, kubeconfig(server, serving.caFile, { token: adminToken }), { mode: 0o600 })

    const auditFile = options.audit === false ? undefined : join(dir, 'audit.log')
    const policyFile = join(dir, 'audit-policy.yaml')
    writeFileSync(policyFile, auditPolicy)
    // Rotation, after 100 MB by default, would take the lines away from under their reader.
    const auditFlags = ['--audit-policy-file', policyFile, '--audit-log-maxsize=100000', '--audit-log-path']
    const audit = auditFile === undefined ? [] : [...auditFlags, auditFile]
    const args = [
      ...['--etcd-servers', `http://127.0.0.1:${ports.etcd}`, '--secure-port', String(ports.api)],
      ...['--bind-address', '127.0.0.1', '--advertise-address', '127.0.0.1', '--endpoint-reconciler-type', 'none'],
      ...['--cert-dir', join(dir, 'certs'), '--service-cluster-ip-range', '10.0.0.0/24'],
      ...['--tls-cert-file', serving.certFile, '--tls-private-key-file', serving.keyFile],
      ...['--authorization-mode', 'RBAC', '--allow-privileged', '--disable-admission-plugins', 'ServiceAccount'],
      ...['--service-account-issuer', 'https://kubernetes.default.svc', '--token-auth-file', tokenFile],
      ...['--service-account-key-file', account.publicKey, '--service-account-signing-key-file', account.privateKey],
      ...audit,
      ...(options.apiServerFlags ?? []),
    ]
    const info = { server, caFile: serving.caFile, adminToken, adminKubeconfig, userTokens, binaries, dir, auditFile }
    return new ControlPlane(info, ports, args)
  }

  async startEtcd(): Promise<void> {
    const client = `http://127.0.0.1:${this.#ports.etcd}`
    const etcd = this.#spawn('etcd', [
      ...['--data-dir', join(this.info.dir, 'etcd'), '--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', 'http://127.0.0.1:0', '--unsafe-no-fsync=true', '--log-level=warn'],
    ])
    this.#etcd = etcd
    await this.#answers(etcd, `${client}/health`)
  }

  async startApiServer(): Promise<void> {
    const apiServer = this.#spawn('kube-apiserver', this.#apiServerArgs)
    this.#apiServer = apiServer
    await this.#answers(apiServer, `${this.server}/readyz`)
  }

  /** To be started when the CRDs are Established: one that starts earlier learns of them only after 30 s. */
  async startControllerManager(): Promise<void> {
    const port = await freePort()
    const manager = this.#spawn('kube-controller-manager', [
      ...['--kubeconfig', this.adminKubeconfig, '--leader-elect=false', `--secure-port=${port}`],
      ...[
        '--bind-address=127.0.0.1',
        '--cert-dir',
        join(this.info.dir, 'certs'),
        '--use-service-account-credentials=false',
      ],
      `--controllers=${controllers.join(',')}`,
    ])
    this.#controllerManager = manager
    await this.#answers(manager, `https://127.0.0.1:${port}/healthz`)
  }

  async installCrds(): Promise<void> {
    if (!existsSync(crdFolder)) return
    await this.kubectlOk(['apply', '--server-side', '-f', crdFolder])
    await this.untilEstablished('-f', crdFolder)
  }

  get etcd(): ManagedProcess {
    return existing('etcd', this.#etcd)
  }

  get apiServer(): ManagedProcess {
    return existing('kube-apiserver', this.#apiServer)
  }

  get controllerManager(): ManagedProcess {
    return existing('kube-controller-manager', this.#controllerManager)
  }

  /** SIGKILL, and its end; startEtcd brings it back with its data. */
  async killEtcd(): Promise<void> {
    await this.etcd.kill()
  }

  /** SIGKILL, and its end; startApiServer brings it back on the same port. */
  async killApiServer(): Promise<void> {
    await this.apiServer.kill()
  }

  /** Signs a new serving certificate with the same CA; the API server loads it within seconds. */
  async renewServingCertificate(): Promise<void> {
    await makeServingCertificate(this.info.dir, { newAuthority: false })
  }

  /** Ends the processes in order and removes the folder, unless it is to be kept. */
  async stop(options: { readonly keep?: boolean } = {}): Promise<void> {
    for (const process of [this.#controllerManager, this.#apiServer, this.#etcd]) await process?.stop()
    if (options.keep !== true) rmSync(this.info.dir, { recursive: true, force: true })
  }

  #spawn(name: string, args: readonly string[]): ManagedProcess {
    const command = join(this.info.binaries, name)
    return new ManagedProcess(this.reaper, { name, command, args, logFile: join(this.info.dir, 'logs', `${name}.log`) })
  }

  async #answers(process: ManagedProcess, url: string): Promise<void> {
    await eventually(`${process.name} to answer ${url}`, async () => (await statusOf(url)) === 200, {
      timeoutMs: 120_000,
      giveUp: () => (process.running ? undefined : `it ended with ${JSON.stringify(process.exit)}`),
    })
  }
}

const existing = (name: string, process: ManagedProcess | undefined): ManagedProcess => {
  if (process === undefined) throw new Error(`${name} was not started`)
  return process
}
