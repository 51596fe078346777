/**
 * A Kafka broker of a profile: its first listener reads the profile's Secret by the profile's server.properties, and two more read
 * PKCS #12 and JKS of certificates beside it.
 */
import { join } from 'node:path'
import type { Target } from '../../../src/database/connect/sight.ts'
import { certificatesOf } from '../../../src/pki/encoding/pem.ts'
import { isReady } from '../../../src/resources/conditions.ts'
import { secrets } from '../../../src/resources/core.ts'
import { databaseCertificates } from '../../../src/resources/database-certificate.ts'
import { eventually, freePort, type Reaper } from '../../controlplane/harness/process.ts'
import { ConfigFolder, fencedBlocks } from './config-folder.ts'
import { type Kafka, kafkaTools, startBroker } from './kafka.ts'
import { ProfileWorld } from './profile.ts'
import { SecretVolume } from './secret-volume.ts'
import { type Server, serverFolder } from './server.ts'

const namespace = 'data'
export const host = 'orders.data.svc'
export const listeners = ['SSL', 'P12', 'JKS'] as const
export type ListenerName = (typeof listeners)[number]

const stores = {
  P12: { type: 'PKCS12', keystore: 'PKCS12Keystore', truststore: 'PKCS12Truststore' },
  JKS: { type: 'JKS', keystore: 'JKSKeystore', truststore: 'JKSTruststore' },
} as const
type Store = keyof typeof stores

type Contents = Readonly<Record<string, Buffer>>

export class Broker implements AsyncDisposable {
  readonly world: ProfileWorld
  readonly ports: Readonly<Record<ListenerName, number>>
  readonly #tools: string
  readonly #volumes = new Map<Store, SecretVolume>()
  #server: Server | undefined

  private constructor(world: ProfileWorld, ports: Broker['ports'], tools: string) {
    this.world = world
    this.ports = ports
    this.#tools = tools
  }

  static async start(kafka: Kafka, reaper: Reaper, profile: object): Promise<Broker> {
    const ports = { SSL: await freePort(), P12: await freePort(), JKS: await freePort() }
    const spec = { engine: 'Kafka', connection: { port: ports.SSL }, ...profile }
    const world = await ProfileWorld.start({ spec, reaper })
    const tools = kafkaTools(kafka, join(world.folder, 'tools'), [host, 'other.test'])
    const broker = new Broker(world, ports, tools)
    const more = [await broker.#storeListener('P12'), await broker.#storeListener('JKS')]
    broker.#server = await startBroker(kafka, {
      ...{ folder: serverFolder(join(world.folder, 'broker')), host, reaper, controllerPort: await freePort() },
      properties: world.server.files['server.properties'] ?? '',
      more: Object.assign({}, ...more) as Record<string, string>,
      listeners: [
        { name: 'SSL', port: ports.SSL },
        { name: 'P12', port: ports.P12 },
        { name: 'JKS', port: ports.JKS },
      ],
    })
    return broker
  }

  /** The ConfigMap as it is for a pod, where its commands are run. */
  desk(pod: string): ConfigFolder {
    return new ConfigFolder(join(this.world.folder, `${pod}-config`), this.world.pod(pod).files, this.#tools)
  }

  /** Every line of commands.md that calls this tool. */
  commands(pod: string, tool: string): readonly string[] {
    const blocks = fencedBlocks(this.world.pod(pod).files['commands.md'] ?? '', 'sh')
    return blocks.filter((line) => line.startsWith(`${tool} `))
  }

  /** As a client sees a listener that trusts what is in its `ca.crt`. */
  target(listener: ListenerName, { 'ca.crt': trust = Buffer.of() }: Contents, name = host): Target {
    return {
      ...{ address: '127.0.0.1', port: this.ports[listener], dialect: 'kafka', serverName: name },
      roots: certificatesOf(trust.toString()),
    }
  }

  async secret(name: string): Promise<Contents> {
    const { data = {} } = await this.world.cluster.get(secrets, { namespace, name })
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64')]))
  }

  /** A certificate beside those of the profile; its Secret. */
  async certificate(name: string, spec: object): Promise<Contents> {
    const object = { apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseCertificate', metadata: { name } }
    await this.world.apply({ ...object, spec: { authorityRef: { name: 'orders-ca' }, ...spec } })
    const found = await eventually(`${name} to be Ready`, async () => {
      const now = await this.world.cluster.get(databaseCertificates, { namespace, name })
      return isReady(now) && now.status?.observedGeneration === now.metadata.generation && now
    })
    return this.secret(found.spec.secret.name)
  }

  /** A new certificate for every listener, brought into the volumes. */
  async renew(): Promise<void> {
    await this.world.renew('server')
    await this.world.deliver()
    for (const [store, volume] of this.#volumes) volume.write(await this.#storeSecret(store, { renewTrigger: 'again' }))
  }

  /** The serial number that has been delivered to a listener. */
  async delivered(listener: ListenerName): Promise<string> {
    if (listener === 'SSL') return this.world.serial('server')
    return this.world.serial(listener.toLowerCase())
  }

  logs(): string {
    return this.#server?.logs() ?? ''
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]()
    await this.world[Symbol.asyncDispose]()
  }

  #storeSecret(store: Store, more: object = {}): Promise<Contents> {
    const { keystore, truststore } = stores[store]
    const name = `orders-${store.toLowerCase()}`
    const items = [
      { key: 'keystore', content: keystore, alias: 'broker' },
      { key: 'truststore', content: truststore, alias: 'ca' },
      { key: 'password', content: 'Password' },
    ]
    return this.certificate(name, {
      ...{ role: 'Peer', subject: { commonName: 'orders' }, dnsNames: [host, 'localhost'], ...more },
      secret: { name: `${name}-tls`, items },
    })
  }

  async #storeListener(store: Store): Promise<Record<string, string>> {
    const files = await this.#storeSecret(store)
    const volume = new SecretVolume(join(this.world.folder, store.toLowerCase()), files)
    this.#volumes.set(store, volume)
    const password = files['password']?.toString() ?? ''
    const own = {
      'keystore.type': stores[store].type,
      'keystore.location': volume.path('keystore'),
      'keystore.password': password,
      'key.password': password,
      'truststore.type': stores[store].type,
      'truststore.location': volume.path('truststore'),
      'truststore.password': password,
      // Here the whole subject is the user.
      'principal.mapping.rules': 'DEFAULT',
    }
    const prefix = `listener.name.${store.toLowerCase()}.ssl`
    return Object.fromEntries(Object.entries(own).map(([key, value]) => [`${prefix}.${key}`, value]))
  }
}
