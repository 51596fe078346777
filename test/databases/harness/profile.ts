/**
 * A DatabaseTLSProfile on an operator in this process, and what its Secrets and its ConfigMap give to the pods of servers and
 * clients: volumes that change as the kubelet changes them, and files that name the paths at which these volumes stand.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EmbeddedCluster } from '../../../src/cluster/embedded/cluster.ts'
import type { KubeObject } from '../../../src/cluster/port.ts'
import { Session } from '../../../src/commands/embedded/session.ts'
import { marks } from '../../../src/control/context.ts'
import type { Expansion } from '../../../src/profile/expansion.ts'
import { isReady } from '../../../src/resources/conditions.ts'
import { configMaps, secrets } from '../../../src/resources/core.ts'
import { type DatabaseCertificate, databaseCertificates } from '../../../src/resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../../../src/resources/database-tls-profile.ts'
import { kinds } from '../../../src/resources/kinds.ts'
import { admit } from '../../../src/resources/validate.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { silentLogger } from '../../../src/runtime/log.ts'
import { createMetrics } from '../../../src/runtime/metrics.ts'
import { certificateAuthorities } from '../../../src/resources/certificate-authority.ts'
import { eventually, type Reaper } from '../../controlplane/harness/process.ts'
import { OwnAuthority, type Stage } from './own-authority.ts'
import { folderOf, type PodPlan, podsOf, type Source } from './pods.ts'
import { type Files, SecretVolume } from './secret-volume.ts'
import { settle } from './settle.ts'

export interface ProfileInit {
  /** spec of the profile; authorityRef may be left out, mountPath is set for each pod. */
  readonly spec: object
  /** Default: orders, in the namespace data. */
  readonly name?: string
  /** CAs of one's own, Secrets, ConfigMaps, as manifests. Without a CA the profile gets one of which `trust` can be told. */
  readonly objects?: readonly object[]
  /** spec.policy of that CA. */
  readonly policy?: object
  readonly reaper: Reaper
  /** Let the operator ask the servers of the profile, and tell them to reload. */
  readonly asksServers?: boolean
  /** How long at most servers wait for their files, ms; then the operator calls them late. */
  readonly volumeDelayMs?: number
}

/** What a container has: volumes below `folder`, and the ConfigMap as it is for that mountPath. */
export interface Pod {
  readonly folder: string
  /** The Secret at the mountPath itself. */
  readonly volume: SecretVolume
  /** Key of the ConfigMap → text. */
  readonly files: Readonly<Record<string, string>>
}

const namespace = 'data'
const person = { fieldManager: 'kubectl', force: true }

export class ProfileWorld implements AsyncDisposable {
  readonly folder: string
  readonly session: Session
  readonly #init: ProfileInit
  readonly #own: OwnAuthority | undefined
  readonly #pods = new Map<string, Pod>()
  readonly #volumes: { readonly source: Source; readonly volume: SecretVolume }[] = []
  #expansion: Expansion | undefined
  #stage: Stage = 'Former'

  private constructor(init: ProfileInit, session: Session, own: OwnAuthority | undefined) {
    this.#init = init
    this.session = session
    this.#own = own
    this.folder = mkdtempSync(join(tmpdir(), 'dbtls-profile-'))
    // Servers run as somebody else come through here.
    chmodSync(this.folder, 0o755)
    init.reaper.sweep(this.folder)
  }

  static async start(init: ProfileInit): Promise<ProfileWorld> {
    const session = new Session({
      ...{ state: undefined, clock: systemClock(), log: silentLogger(), metrics: createMetrics(), workers: 2 },
      ...{ namespaces: undefined, events: { record: () => undefined }, asksServers: init.asksServers === true },
      volumeDelayMs: init.volumeDelayMs,
    })
    const given = (init.objects ?? []) as readonly KubeObject[]
    const brings = given.some(({ kind }) => kind === 'CertificateAuthority')
    const own = brings ? undefined : await OwnAuthority.make('orders-ca', namespace)
    const world = new ProfileWorld(init, session, own)
    await session.start()
    for (const object of own === undefined ? [] : [own.secret('Former'), own.object(init.policy)])
      await world.apply(object)
    for (const object of given) await world.apply(object)
    await world.#mount()
    return world
  }

  get cluster(): EmbeddedCluster {
    return this.session.cluster
  }

  /** As a person does with kubectl; in the namespace of the profile where the object names none. */
  async apply(object: object): Promise<void> {
    const { metadata, ...rest } = object as KubeObject
    const resource = [secrets, configMaps, ...kinds.map((one) => one.resource)].find(({ kind }) => kind === rest.kind)
    if (resource === undefined) throw new Error(`${rest.kind} is not applied here`)
    await this.cluster.apply(resource, { ...rest, metadata: { namespace, ...metadata } }, person)
  }

  /** The pod of the only server, or the first. */
  get server(): Pod {
    return this.pod(this.#pods.has('server') ? 'server' : 'server-0')
  }

  client(name: string): Pod {
    return this.pod(`client-${name}`)
  }

  /** `server`, `server-1` where each pod has its own certificate, `client-app`. */
  pod(name: string): Pod {
    const found = this.#pods.get(name)
    if (found === undefined) throw new Error(`there is no pod ${name}, only ${[...this.#pods.keys()].join(', ')}`)
    return found
  }

  /** What the profile asks for, from its own fields. */
  get expansion(): Expansion {
    if (this.#expansion === undefined) throw new Error('the profile is not there yet')
    return this.#expansion
  }

  /** Issues certificates anew, all or those of these parts (`server`, a component, `client`); answers when they are in the Secrets. */
  async renew(...parts: readonly string[]): Promise<void> {
    const chosen = this.expansion.certificates.filter(({ part }) => parts.length === 0 || parts.includes(part))
    const annotations = { [marks.renewTrigger]: `${performance.now()}` }
    for (const { name } of chosen) {
      const before = (await this.#certificate(name)).status?.serialNumber
      const marked = { apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseCertificate' }
      const object = { ...marked, metadata: { name, namespace, annotations } } as unknown as DatabaseCertificate
      await this.cluster.apply(databaseCertificates, object, { fieldManager: 'dbtls.dev/cli', force: true })
      await eventually(`${name} to be renewed`, async () => {
        const now = await this.#certificate(name)
        return isReady(now) && now.status?.serialNumber !== before
      })
    }
  }

  /**
   * Brings the CA that came without one to a stage of its replacement, and answers when Secrets and ConfigMaps have followed;
   * `deliver` comes after it.
   */
  async trust(stage: Stage): Promise<void> {
    const own = this.authority
    const former = new Map<string, string | undefined>()
    for (const { name } of this.expansion.certificates)
      former.set(name, (await this.#certificate(name)).status?.serialNumber)
    const signsAnew = own.signer(stage) !== own.signer(this.#stage)
    this.#stage = stage
    await this.apply(own.secret(stage))
    for (const [name, serial] of former)
      await eventually(`${name} to be signed anew`, async () => {
        const { status } = await this.#certificate(name)
        return !signsAnew || status?.serialNumber !== serial
      })
    // Its owner had both trusted before, so no soak follows; a root that is taken away earlier waits for one.
    if (signsAnew)
      await eventually('the rotation to be over', async () => {
        const { status } = await this.cluster.get(certificateAuthorities, { namespace, name: own.name })
        return status?.rotation?.phase === 'Idle' && status.rotation.finishedAt !== undefined
      })
    const wanted = own.trusted(stage).map((pem) => pem.trim())
    for (const { source } of this.#volumes)
      await eventually(`${source.kind} ${source.name} to hold the CAs of ${stage}`, async () => {
        const contents = await this.#contents(source)
        // The layouts that are named after a guide have it as the guide does.
        const pem = contents['ca.crt'] ?? contents['ca.pem'] ?? ''
        const held: readonly string[] = pem.toString().match(/-----BEGIN[^]*?-----END CERTIFICATE-----/g) ?? []
        return held.length === wanted.length && wanted.every((one) => held.includes(one))
      })
  }

  /** The CA that came without one. */
  get authority(): OwnAuthority {
    if (this.#own === undefined) throw new Error('the profile has CAs of its own: change their Secrets')
    return this.#own
  }

  /** The kubelet brings what Secrets and ConfigMaps hold now into every volume. */
  async deliver(): Promise<void> {
    for (const { source, volume } of this.#volumes) volume.write(await this.#contents(source))
  }

  /** Serial number of a DatabaseCertificate of the profile, in upper-case hex: `server`, `app`. */
  async serial(name: string): Promise<string> {
    return (await this.#certificate(`${this.#name}-${name}`)).status?.serialNumber ?? ''
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session.stop()
    if (process.env['DBTLS_KEEP'] !== '1') rmSync(this.folder, { recursive: true, force: true })
  }

  get #name(): string {
    return this.#init.name ?? 'orders'
  }

  #certificate(name: string): Promise<DatabaseCertificate> {
    return this.cluster.get(databaseCertificates, { namespace, name })
  }

  async #contents({ kind, name }: Source): Promise<Files> {
    if (kind === 'Secret') {
      const { data = {} } = await this.cluster.get(secrets, { namespace, name })
      return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64')]))
    }
    const { data = {}, binaryData = {} } = await this.cluster.get(configMaps, { namespace, name })
    const binary = Object.entries(binaryData).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const)
    return { ...data, ...Object.fromEntries(binary) }
  }

  #profile(mountPath: string): DatabaseTLSProfile {
    const spec = { authorityRef: { name: 'orders-ca' }, ...this.#init.spec, mountPath }
    const object = {
      ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseTLSProfile' },
      ...{ metadata: { name: this.#name, namespace }, spec },
    }
    const admitted = admit('DatabaseTLSProfile', object)
    if ('problems' in admitted) throw new Error(JSON.stringify(admitted.problems))
    return admitted.object as DatabaseTLSProfile
  }

  /** The server's last, so that the profile stays as its servers have it. */
  async #mount(): Promise<void> {
    const { expansion } = await settle(this.cluster, this.#profile(join(this.folder, 'server')))
    this.#expansion = expansion
    for (const plan of podsOf(this.#profile('/'), expansion).toReversed()) {
      const folder = folderOf(this.folder, plan)
      const { files } = await settle(this.cluster, this.#profile(folder))
      const volumes = await Promise.all(plan.sources.map((source) => this.#volume(plan, source)))
      const [volume] = volumes
      if (volume !== undefined) this.#pods.set(plan.name, { folder, volume, files })
    }
  }

  async #volume(plan: PodPlan, source: Source): Promise<SecretVolume> {
    const volume = new SecretVolume(folderOf(this.folder, plan, source), await this.#contents(source))
    this.#volumes.push({ source, volume })
    return volume
  }
}
