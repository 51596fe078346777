/** A DatabaseCertificate by itself beside the profile of a world, as a proxy in front of its servers has one, and the volume of its Secret. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isReady } from '../../../src/resources/conditions.ts'
import { secrets } from '../../../src/resources/core.ts'
import { type DatabaseCertificate, databaseCertificates } from '../../../src/resources/database-certificate.ts'
import { eventually } from '../../controlplane/harness/process.ts'
import type { ProfileWorld } from './profile.ts'
import { type Files, SecretVolume } from './secret-volume.ts'

/** Without authorityRef and name of the Secret: they are the world's, and the certificate's own name. */
interface StandaloneSpec extends Partial<Pick<DatabaseCertificate['spec'], 'role' | 'dnsNames' | 'subject'>> {
  readonly items: NonNullable<DatabaseCertificate['spec']['secret']['items']>
}

const namespace = 'data'

export class Standalone {
  readonly name: string
  readonly #world: ProfileWorld
  readonly #spec: StandaloneSpec
  #volume: SecretVolume | undefined
  #renewals = 0

  private constructor(world: ProfileWorld, name: string, spec: StandaloneSpec) {
    this.#world = world
    this.name = name
    this.#spec = spec
  }

  static async issue(world: ProfileWorld, name: string, spec: StandaloneSpec): Promise<Standalone> {
    const certificate = new Standalone(world, name, spec)
    await certificate.#ask()
    certificate.#volume = new SecretVolume(join(world.folder, name), await certificate.files())
    return certificate
  }

  get volume(): SecretVolume {
    if (this.#volume === undefined) throw new Error(`${this.name} is not issued yet`)
    return this.#volume
  }

  /** What the Secret holds now. */
  async files(): Promise<Files> {
    const { data = {} } = await this.#world.cluster.get(secrets, { namespace, name: this.name })
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64')]))
  }

  /** Has it issued anew; the volume follows with `deliver`. */
  async renew(): Promise<void> {
    this.#renewals += 1
    await this.#ask()
  }

  async deliver(): Promise<void> {
    this.volume.write(await this.files())
  }

  /** In upper-case hex. */
  async serial(): Promise<string> {
    return (await this.#found()).status?.serialNumber ?? ''
  }

  #found(): Promise<DatabaseCertificate> {
    return this.#world.cluster.get(databaseCertificates, { namespace, name: this.name })
  }

  async #ask(): Promise<void> {
    const { items, ...spec } = this.#spec
    const renewTrigger = String(this.#renewals)
    await this.#world.apply({
      ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseCertificate', metadata: { name: this.name } },
      spec: { authorityRef: { name: 'orders-ca' }, ...spec, renewTrigger, secret: { name: this.name, items } },
    })
    await eventually(`${this.name} to be issued`, async () => {
      const found = await this.#found()
      return isReady(found) && found.status?.renewTrigger?.startsWith(renewTrigger) === true
    })
  }
}

/** DER of the certificates of a file. */
export const rootsOf = (volume: SecretVolume): Uint8Array[] =>
  (readFileSync(volume.path('ca.crt'), 'utf8').match(/-----BEGIN[^]*?-----END CERTIFICATE-----/g) ?? []).map(
    (pem) => new X509Certificate(pem).raw,
  )
