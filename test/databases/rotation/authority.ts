/** The CA of a fleet: how it is asked to rotate, and the phases it was seen in. */
import { X509Certificate } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { certificateAuthorities, type CertificateAuthority } from '../../../src/resources/certificate-authority.ts'
import { secrets } from '../../../src/resources/core.ts'
import { eventually } from '../../controlplane/harness/process.ts'
import type { Stretch } from './account.ts'
import { applyTo, type Site } from './site.ts'

export type Phase = NonNullable<NonNullable<CertificateAuthority['status']>['rotation']>['phase']
type Status = NonNullable<CertificateAuthority['status']>

export interface AuthorityInit {
  readonly name: string
  /** Besides source, subject and rotation. */
  readonly spec?: object
  readonly rotation?: object
}

/** Far longer than a volume takes to follow, and no day. */
const soaks = { trustSoak: '8s', dropSoak: '8s' }

export class WatchedAuthority implements AsyncDisposable {
  readonly name: string
  readonly #site: Site
  readonly #seen: Stretch[] = []
  readonly #stopping = new AbortController()
  readonly #ended: Promise<void>
  #rotation: Readonly<Record<string, unknown>>
  #spec: object
  #status: Status | undefined
  #triggers = 0

  static async create(site: Site, init: AuthorityInit): Promise<WatchedAuthority> {
    const authority = new WatchedAuthority(site, init)
    await authority.ask({})
    return authority
  }

  private constructor(site: Site, init: AuthorityInit) {
    this.name = init.name
    this.#site = site
    this.#spec = { ...init.spec }
    this.#rotation = { ...soaks, ...init.rotation }
    this.#ended = this.#run()
  }

  /** The rest of spec, from the next change on. */
  async respecify(spec: object): Promise<void> {
    this.#spec = { ...this.#spec, ...spec }
    await this.ask({})
  }

  /** Changes spec.rotation, as `kubectl apply` does. */
  async ask(rotation: object): Promise<void> {
    this.#rotation = { ...this.#rotation, ...rotation }
    const { name } = this
    await applyTo(this.#site, {
      ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'CertificateAuthority', metadata: { name } },
      spec: {
        ...{ source: { selfSigned: {} }, subject: { commonName: 'Orders CA' } },
        ...this.#spec,
        rotation: this.#rotation,
      },
    })
  }

  /** Starts a rotation. */
  async trigger(rotation: object = {}): Promise<void> {
    this.#triggers += 1
    await this.ask({ ...rotation, trigger: `rotation ${this.#triggers}` })
  }

  /** Its certificate, or the one under another key, as its Secret has it now. */
  async certificate(key = 'tls.crt'): Promise<X509Certificate> {
    const { cluster, namespace } = this.#site
    const { data = {} } = await cluster.get(secrets, { namespace, name: `${this.name}-ca` })
    return new X509Certificate(Buffer.from(data[key] ?? '', 'base64'))
  }

  get status(): Status | undefined {
    return this.#status
  }

  get phase(): Phase {
    return this.#status?.rotation?.phase ?? 'Idle'
  }

  /** The phases since this time, in order; one that was over between two looks is not among them. */
  phases(since: number): readonly Stretch[] {
    return this.#seen.filter(({ since: at }) => at >= since)
  }

  /** Until it is in one of these; rejects with what it says. */
  async until(...phases: readonly Phase[]): Promise<void> {
    await this.#eventually(`to be in ${phases.join(' or ')}`, () => phases.includes(this.phase))
  }

  /** Until a rotation that was asked for is over. */
  async finished(): Promise<void> {
    const trigger = this.#rotation['trigger']
    await this.#eventually('to have rotated', () => {
      const { rotation } = this.#status ?? {}
      return rotation?.phase === 'Idle' && rotation.trigger === trigger && rotation.finishedAt !== undefined
    })
  }

  /** Takes back the rotation under way; answers when nothing of it is left. */
  async abort(): Promise<void> {
    const abort = `taken back at ${Date.now()}`
    await this.ask({ abort, holdAt: '' })
    await this.#eventually('to have gone back', () => {
      const { rotation } = this.#status ?? {}
      return rotation?.phase === 'Idle' && rotation.abort === abort
    })
  }

  /** Until what it says of itself fits. */
  async says(words: RegExp): Promise<void> {
    await this.#eventually(`to say ${String(words)}`, () => words.test(this.#status?.rotation?.message ?? ''))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#ended
  }

  async #eventually(what: string, holds: () => boolean): Promise<void> {
    try {
      await eventually(`${this.name} ${what}`, () => Promise.resolve(holds()), { timeoutMs: 900_000 })
    } catch (error) {
      throw new Error(`${this.name} ${what}: it says ${JSON.stringify(this.#status?.rotation, null, 1)}`, {
        cause: error,
      })
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const { cluster, namespace } = this.#site
    let last: Phase | undefined
    while (!signal.aborted) {
      try {
        const { status } = await cluster.get(certificateAuthorities, { namespace, name: this.name })
        this.#status = status
        if (this.phase !== last) this.#seen.push({ name: this.phase, since: Date.now() })
        last = this.phase
      } catch {
        // Not there yet, or the API server is away.
      }
      await sleep(30, undefined, { signal }).catch(() => undefined)
    }
  }
}
