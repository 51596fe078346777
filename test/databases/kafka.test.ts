/** Kafka as a profile has it: certificates, files, accounts, renewal, and what becomes of a pair that does not belong together. */
import type { LookupFunction } from 'node:net'
import { Kafka as Driver, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority, makePair, pemOf } from '../../src/database/connect/testing.ts'
import { probe } from '../../src/database/connect/probe.ts'
import type { ClientCertificate, Sight } from '../../src/database/connect/sight.ts'
import { commaForm } from '../../src/database/engines/identity.ts'
import { isReady } from '../../src/resources/conditions.ts'
import { databaseCertificates } from '../../src/resources/database-certificate.ts'
import { databaseTLSProfiles } from '../../src/resources/database-tls-profile.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { Broker, host, type ListenerName, listeners } from './harness/broker.ts'
import { inTheClear } from './harness/clear.ts'
import { ClientLoop } from './harness/client-loop.ts'
import type { ConfigFolder } from './harness/config-folder.ts'
import { installKafka, kafkaVersion } from './harness/kafka.ts'

type Contents = Awaited<ReturnType<Broker['secret']>>

const kafka = await installKafka()
const options = { clock: systemClock(), totalMs: 60_000 }
const reaper = new Reaper()

const loopback: LookupFunction = (_, { all }, answer) =>
  all === true ? answer(null, [{ address: '127.0.0.1', family: 4 }]) : answer(null, '127.0.0.1', 4)

/** Version 0, correlation 1, client "test". */
const apiVersionsRequest = Buffer.from('0000000e0012000000000001000474657374', 'hex')

const pairOf = (files: Contents): ClientCertificate => ({
  chain: files['tls.crt']?.toString() ?? '',
  key: files['tls.key']?.toString() ?? '',
})

describe.skipIf(kafka === undefined)(`Kafka ${kafkaVersion}`, () => {
  let broker: Broker
  let admin: ConfigFolder
  let app: ConfigFolder
  let report: ConfigFolder
  let secret: Contents
  let bootstrap: string
  beforeAll(async () => {
    if (kafka === undefined) return
    broker = await Broker.start(kafka, reaper, {
      topology: { services: ['orders', 'orders-old'] },
      clients: [{ name: 'app', java: true }, { name: 'report' }],
    })
    admin = broker.desk('server')
    app = broker.desk('client-app')
    report = broker.desk('client-report')
    secret = await broker.secret('orders-app-tls')
    bootstrap = `--bootstrap-server ${host}:${broker.ports.SSL} --command-config client.properties`
  })
  afterAll(async () => {
    await broker?.[Symbol.asyncDispose]()
  })

  const driver = (listener: ListenerName, files: Contents, name = host): Driver =>
    new Driver({
      ...{ clientId: 'test', brokers: [`${name}:${broker.ports[listener]}`], logLevel: logLevel.NOTHING },
      ...{ retry: { retries: 0 }, connectionTimeout: 60_000, requestTimeout: 60_000 },
      ssl: { ca: files['ca.crt'], cert: files['tls.crt'], key: files['tls.key'], lookup: loopback },
    })
  const topicsSeen = async (client: Driver): Promise<string[]> => {
    const connected = client.admin()
    await connected.connect()
    try {
      return await connected.listTopics()
    } finally {
      await connected.disconnect()
    }
  }
  const look = (listener: ListenerName): Promise<Sight> =>
    probe(broker.target(listener, secret), { ...options, certificate: pairOf(secret) })
  const reload = async (properties = 'admin.properties'): Promise<void> => {
    const [line = ''] = broker.commands('server', 'kafka-configs.sh')
    expect(await admin.must(line.replace('admin.properties', properties))).toContain(
      'Completed updating config for broker 0',
    )
  }
  /** Each network thread (num.network.threads, three) takes it up for itself, so one look proves nothing of the next connection. */
  const serves = (listener: ListenerName, serialNumber: string): Promise<Sight> =>
    eventually(`every thread of ${listener} to serve ${serialNumber}`, async () => {
      let sight = await look(listener)
      for (let turn = 0; turn < 9 && sight.served?.serialNumber === serialNumber; turn += 1)
        sight = await look(listener)
      return sight.served?.serialNumber === serialNumber && sight
    })

  it('lets in whom commands.md gives rights, by the common name', async () => {
    const [grant = '', ...others] = broker.commands('server', 'kafka-acls.sh')
    expect(others).toHaveLength(1)
    await admin.must(grant)
    await app.must(`kafka-topics.sh ${bootstrap} --create --topic orders`)
    const [list = ''] = broker.commands('client-app', 'kafka-topics.sh')
    expect((await app.must(list)).split('\n')).toContain('orders')
    await app.must(`kafka-console-producer.sh ${bootstrap} --topic orders`, 'first\n')
    const from = '--topic orders --partition 0 --offset earliest --max-messages 1 --timeout-ms 60000'
    expect(await app.must(`kafka-console-consumer.sh ${bootstrap} ${from}`)).toContain('first')
    const { said } = await report.shell(`kafka-console-producer.sh ${bootstrap} --topic orders`, 'second\n')
    expect(said).toContain('Not authorized to access topics: [orders]')
  })

  it('serves PEM, PKCS #12 and JKS to drivers of Java and Node', async () => {
    for (const listener of listeners) {
      for (const tlsVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const target = broker.target(listener, secret)
        const sight = await probe(target, { ...options, tlsVersion, certificate: pairOf(secret) })
        expect(sight).toMatchObject({ outcome: 'Accepted', tlsVersion, offered: true, problems: [] })
        expect(sight.served?.serialNumber).toBe(await broker.delivered(listener))
      }
      await topicsSeen(driver(listener, secret))
    }
    const password = secret['keystore-password']?.toString() ?? ''
    const folder = broker.world.client('app').folder
    const store = (name: string): string =>
      `ssl.${name}.type=PKCS12\nssl.${name}.location=${folder}/${name}.p12\nssl.${name}.password=${password}\n`
    app.write('java.properties', `security.protocol=SSL\n${store('keystore')}${store('truststore')}`)
    const list = `kafka-topics.sh --bootstrap-server ${host}:${broker.ports.SSL} --command-config java.properties --list`
    expect((await app.must(list)).split('\n')).toContain('orders')
  })

  it('knows a client by its whole subject where no rule maps it', async () => {
    const subject = { commonName: 'auditor', organizationalUnits: ['Books'], organizations: ['Acme'] }
    const files = await broker.certificate('auditor', { role: 'Client', subject, secret: { name: 'auditor-tls' } })
    expect(await topicsSeen(driver('P12', files))).toEqual([])
    const server = `--bootstrap-server ${host}:${broker.ports.SSL} --command-config admin.properties`
    const principal = `--allow-principal 'User:${commaForm(subject)}'`
    await admin.must(`kafka-acls.sh ${server} --add ${principal} --operation Describe --topic orders`)
    await eventually('the auditor to see it', async () => (await topicsSeen(driver('P12', files))).includes('orders'))
    expect(await topicsSeen(driver('SSL', files)), 'as User:auditor').toEqual([])
  })

  it('refuses who comes in the clear, without a certificate, or with one of another CA, and is refused', async () => {
    const stranger = await makeAuthority('Orders CA')
    const wrong = await makePair(stranger, 'Client')
    const target = broker.target('SSL', secret)
    expect(await probe(target, options)).toMatchObject({ outcome: 'Refused', alert: 42, requested: true })
    const certificate = { chain: wrong.chain, key: wrong.key }
    expect(await probe(target, { ...options, certificate })).toMatchObject({
      outcome: 'Refused',
      alert: 46,
      offered: true,
    })
    const plain = new Driver({
      ...{ brokers: [`127.0.0.1:${broker.ports.SSL}`], logLevel: logLevel.NOTHING, retry: { retries: 0 } },
    })
    await expect(plain.admin().connect()).rejects.toMatchObject({ cause: { name: 'KafkaJSConnectionClosedError' } })
    // internal_error; a client that speaks plain Kafka takes its first four bytes for a length of 352 million.
    expect(await inTheClear(broker.ports.SSL, apiVersionsRequest)).toBe('15030300020250')
    const properties = broker.world.client('app').files['client.properties'] ?? ''
    const withoutKey = properties.split('\n').filter((line) => !line.startsWith('ssl.keystore'))
    app.write('bare.properties', withoutKey.join('\n'))
    app.write('other-ca.crt', pemOf(stranger))
    app.write(
      'other-ca.properties',
      properties.replace(/^(ssl\.truststore\.location=).*$/m, `$1${app.folder}/other-ca.crt`),
    )
    const list = (name: string, file: string): Promise<{ code: number; said: string }> =>
      app.shell(`kafka-topics.sh --bootstrap-server ${name}:${broker.ports.SSL} --command-config ${file} --list`)
    const cases = [
      [host, 'bare.properties', 'Received fatal alert: bad_certificate'],
      [host, 'other-ca.properties', 'PKIX path validation failed'],
      ['other.test', 'client.properties', 'No subject alternative DNS name matching other.test found'],
    ] as const
    for (const [name, file, words] of cases) {
      const { code, said } = await list(name, file)
      expect(code, file).not.toBe(0)
      expect(said).toContain('SslAuthenticationException')
      expect(said).toContain(words)
    }
  })

  it('takes up renewed files by the command of commands.md while clients go on', async () => {
    const former = new Map<ListenerName, string>()
    for (const listener of listeners) former.set(listener, await broker.delivered(listener))
    const loops = listeners.map(
      (listener) => new ClientLoop(() => ({ target: broker.target(listener, secret), certificate: pairOf(secret) })),
    )
    await broker.renew()
    for (const listener of listeners)
      expect((await look(listener)).served?.serialNumber, 'delivered is not loaded').toBe(former.get(listener))
    await reload()
    for (const listener of listeners) {
      const serial = await broker.delivered(listener)
      expect(serial).not.toBe(former.get(listener))
      expect(await serves(listener, serial)).toMatchObject({ outcome: 'Accepted', problems: [] })
    }
    for (const loop of loops) {
      const before = loop.accepted
      await eventually('the loop to go on', () => Promise.resolve(loop.accepted > before + 3))
      const { accepted, refused } = await loop.stop()
      expect(refused).toEqual([])
      expect(accepted).toBeGreaterThan(4)
    }
    expect(broker.logs()).not.toContain('publishing fault')
  })

  it('keeps the former pair in silence where key and certificate do not belong together', async () => {
    const former = await broker.secret('orders-server-tls')
    const serial = await broker.delivered('SSL')
    await broker.world.renew('server')
    const next = await broker.secret('orders-server-tls')
    broker.world.server.volume.write({
      ...next,
      'tls.pem': `${former['tls.key']?.toString()}${next['tls.crt']?.toString()}`,
    })
    // The brokers' own pair is what the command shows as well, so it takes another one to be let in.
    admin.write('former.pem', former['tls.pem']?.toString() ?? '')
    const properties = broker.world.server.files['admin.properties'] ?? ''
    admin.write(
      'former.properties',
      properties.replace(/^(ssl\.keystore\.location=).*$/m, `$1${admin.folder}/former.pem`),
    )
    await reload('former.properties')
    const refused = /publishing fault[^]*ConfigException/
    await eventually('the broker to refuse it', () => Promise.resolve(refused.test(broker.logs())), {
      timeoutMs: 120_000,
    })
    const sight = await look('SSL')
    expect(sight).toMatchObject({ outcome: 'Accepted', served: { serialNumber: serial } })
    // This, and nothing of what Kafka answers, tells that the renewal has not arrived.
    expect(sight.served?.serialNumber).not.toBe(await broker.delivered('SSL'))
    await broker.world.deliver()
    await reload('former.properties')
    await serves('SSL', await broker.delivered('SSL'))
  })

  it('takes up fewer names, and another CA in three steps that no client notices', async () => {
    const { world } = broker
    const namespace = 'data'
    const { apiVersion, kind, metadata, spec } = await world.cluster.get(databaseTLSProfiles, {
      namespace,
      name: 'orders',
    })
    await world.apply({
      apiVersion,
      kind,
      metadata: { name: metadata.name },
      spec: { ...spec, topology: { services: ['orders'] } },
    })
    await eventually('a certificate without the names', async () => {
      const found = await world.cluster.get(databaseCertificates, { namespace, name: 'orders-server' })
      const isNew = found.status?.observedGeneration === found.metadata.generation && isReady(found)
      return isNew && found.spec.dnsNames?.includes('orders-old') === false
    })
    const former = secret
    await using loop = new ClientLoop(() => ({ target: broker.target('SSL', secret), certificate: pairOf(secret) }))
    for (const stage of ['Both', 'NextSigns', 'Next'] as const) {
      await world.trust(stage)
      // Clients have theirs before the broker looks at its own.
      secret = await broker.secret('orders-app-tls')
      await world.deliver()
      await reload()
      await serves('SSL', await broker.delivered('SSL'))
    }
    const { accepted, refused } = await loop.stop()
    expect(refused).toEqual([])
    expect(accepted).toBeGreaterThan(4)
    const { served } = await look('SSL')
    expect(served?.names).toContain(`DNS:${host}`)
    expect(served?.names.join(' ')).not.toContain('orders-old')
    const offer = { ...options, certificate: pairOf(former) }
    await eventually(
      'the former CA to be forgotten',
      async () => (await probe(broker.target('SSL', secret), offer)).outcome === 'Refused',
    )
  })
})
