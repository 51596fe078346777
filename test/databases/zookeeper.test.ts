/** ZooKeeper as a profile has it: an ensemble of three, all of whose ports speak TLS alone. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probe } from '../../src/database/connect/probe.ts'
import type { ClientCertificate, Sight, Target } from '../../src/database/connect/sight.ts'
import { makeAuthority, makePair, pemOf } from '../../src/database/connect/testing.ts'
import { commaForm } from '../../src/database/engines/identity.ts'
import { encodePkcs12 } from '../../src/material/pkcs12.ts'
import { certificatesOf, decodePem } from '../../src/pki/encoding/pem.ts'
import { secrets } from '../../src/resources/core.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { eventually, freePort, type Output, Reaper } from '../controlplane/harness/process.ts'
import { inTheClear } from './harness/clear.ts'
import { ClientLoops } from './harness/client-loop.ts'
import { ConfigFolder, fencedBlocks } from './harness/config-folder.ts'
import { hostsFile } from './harness/java.ts'
import { ProfileWorld } from './harness/profile.ts'
import {
  type Ensemble,
  installZooKeeper,
  startEnsemble,
  zookeeperTools,
  zookeeperVersion,
} from './harness/zookeeper.ts'

const classPath = await installZooKeeper()
const options = { clock: systemClock(), totalMs: 60_000 }
const reaper = new Reaper()
const host = 'orders.data.svc'
const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const

type Contents = Readonly<Record<string, Buffer>>
const pairOf = (files: Contents): ClientCertificate => ({
  chain: files['tls.crt']?.toString() ?? '',
  key: files['tls.key']?.toString() ?? '',
})

describe.skipIf(classPath === undefined)(`ZooKeeper ${zookeeperVersion}`, () => {
  let world: ProfileWorld
  let ensemble: Ensemble
  let port: number
  let app: ConfigFolder
  let report: ConfigFolder
  let secret: Contents
  beforeAll(async () => {
    if (classPath === undefined) return
    port = await freePort()
    const topology = { services: ['orders'], extraIPAddresses: addresses.slice(1) }
    const spec = { engine: 'ZooKeeper', topology, connection: { port }, clients: [{ name: 'app' }, { name: 'report' }] }
    world = await ProfileWorld.start({ spec, reaper })
    const tools = zookeeperTools(
      classPath,
      join(world.folder, 'tools'),
      hostsFile(join(world.folder, 'hosts'), [host, 'other.test']),
    )
    const desk = (name: string): ConfigFolder =>
      new ConfigFolder(join(world.folder, `${name}-config`), world.client(name).files, tools)
    ;[app, report] = [desk('app'), desk('report')]
    secret = await secretOf('orders-app-tls')
    const configuration = world.server.files['zoo.cfg'] ?? ''
    const client = () => ({ ca: secret['ca.crt'], cert: secret['tls.crt'], key: secret['tls.key'] })
    ensemble = await startEnsemble({ classPath, folder: world.folder, configuration, addresses, port, client, reaper })
  })
  afterAll(async () => {
    await ensemble?.[Symbol.asyncDispose]()
    await world?.[Symbol.asyncDispose]()
  })

  const secretOf = async (name: string): Promise<Contents> => {
    const { data = {} } = await world.cluster.get(secrets, { namespace: 'data', name })
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64')]))
  }
  const target = (address: string): Target => ({
    ...{ address, port, dialect: 'zookeeper', serverName: host },
    roots: certificatesOf(secret['ca.crt']?.toString() ?? ''),
  })
  const look = (address: string, certificate?: ClientCertificate): Promise<Sight> =>
    probe(target(address), { ...options, certificate })
  const serves = async (serial: string): Promise<void> => {
    for (const address of addresses)
      await eventually(`${address} to serve ${serial}`, async () => {
        const { outcome, served } = await look(address, pairOf(secret))
        return outcome === 'Accepted' && served?.serialNumber === serial
      })
  }
  const settings = (address: string) => () => ({ target: target(address), certificate: pairOf(secret) })
  /** zkCli as commands.md has it, with a command at its end. */
  const cli = (
    desk: ConfigFolder,
    command: string,
    properties = 'client.properties',
    name = host,
  ): Promise<Output & { said: string }> => {
    const [line = ''] = fencedBlocks(world.client('app').files['commands.md'] ?? '', 'sh')
    return desk.shell(`${line.replace('client.properties', properties).replace(host, name)} ${command}`)
  }

  it('knows a client by its subject, and the members by theirs', async () => {
    expect((await cli(app, 'create /orders first')).said).toContain('Created /orders')
    const subject = commaForm({ commonName: 'app' })
    expect((await cli(app, `create /books first x509:${subject}:cdrwa`)).said).toContain('Created /books')
    expect((await cli(app, 'get /books')).said).toContain('first')
    const { code, said } = await cli(report, 'get /books')
    expect(said).toContain('Insufficient permission : /books')
    expect(code).not.toBe(0)
    // Written through one server, and read through the others.
    for (const address of addresses)
      expect(await look(address, pairOf(secret))).toMatchObject({ outcome: 'Accepted', offered: true, problems: [] })
  })

  it('refuses who comes in the clear, without a certificate, or with one of another CA, and is refused', async () => {
    const stranger = await makeAuthority('Orders CA')
    const wrong = await makePair(stranger, 'Client')
    expect(await look('127.0.0.2')).toMatchObject({ outcome: 'Refused', alert: 42, requested: true })
    expect(await look('127.0.0.2', wrong)).toMatchObject({ outcome: 'Refused', alert: 46, offered: true })
    const election: Target = { ...target('127.0.0.2'), port: ensemble.electionPort, dialect: 'plain' }
    expect(await inTheClear(port, 'srvr'), 'not a byte').toBe('')
    expect(await probe(election, options)).toMatchObject({ outcome: 'Refused', alert: 42 })
    const between = await probe(election, { ...options, certificate: wrong })
    expect(between).toMatchObject({ outcome: 'Refused', alert: 46, offered: true })
    const properties = world.client('app').files['client.properties'] ?? ''
    app.write('other-ca.crt', pemOf(stranger))
    const own = properties.split('\n').filter((line) => !line.startsWith('zookeeper.ssl.trustStore'))
    const store = ['type=PEM', `location=${app.folder}/other-ca.crt`].map((end) => `zookeeper.ssl.trustStore.${end}`)
    app.write('other-ca.properties', [...own, ...store].join('\n'))
    const otherCa = await cli(app, 'ls /', 'other-ca.properties')
    expect(otherCa.said).toMatch(/PKIX path (validation|building) failed/)
    expect(otherCa.code).not.toBe(0)
    const otherName = await cli(app, 'ls /', 'client.properties', 'other.test')
    expect(otherName.said).toContain('No subject alternative DNS name matching other.test found')
    expect(otherName.code).not.toBe(0)
  })

  /** What the servers show each other. */
  const electionSerial = async (address: string): Promise<string | undefined> => {
    const election: Target = { ...target(address), port: ensemble.electionPort, dialect: 'plain' }
    return (await probe(election, { ...options, certificate: pairOf(secret) })).served?.serialNumber
  }

  it('reads renewed files at every connection of a client, and never half of a pair', async () => {
    const former = await world.serial('server')
    await using clients = await ClientLoops.start(...addresses.map(settings))
    for (let turn = 0; turn < 5; turn += 1) {
      await world.renew('server')
      await world.deliver()
      await serves(await world.serial('server'))
    }
    await clients.goOn()
    expect(await clients.stop()).toEqual([])
    for (const address of addresses) expect(await electionSerial(address), 'between the servers').toBe(former)
    await ensemble.rollOut()
    for (const address of addresses) expect(await electionSerial(address)).toBe(await world.serial('server'))
  })

  it('follows another CA of the same name in three steps that no client notices', async () => {
    const former = secret
    for (const stage of ['Both', 'NextSigns', 'Next'] as const) {
      await using clients = await ClientLoops.start(...addresses.map(settings))
      await world.trust(stage)
      const renewed = await secretOf('orders-app-tls')
      // What signs clients next is trusted since the stage before.
      for (const address of addresses)
        await eventually(
          `${address} to trust it`,
          async () => (await look(address, pairOf(renewed))).outcome === 'Accepted',
        )
      secret = renewed
      await world.deliver()
      await serves(await world.serial('server'))
      await clients.goOn()
      expect(await clients.stop()).toEqual([])
      await ensemble.rollOut()
    }
    for (const address of addresses)
      expect(await look(address, pairOf(former))).toMatchObject({ outcome: 'Refused', offered: true })
    const { said } = await cli(app, 'get /orders')
    expect(said).toContain('first')
  })

  it('serves nobody where key and certificate do not belong together, and the probe says so', async () => {
    const former = await secretOf('orders-server-tls')
    await world.renew('server')
    const next = await secretOf('orders-server-tls')
    const password = next['keystore-password']?.toString() ?? ''
    const [block] = decodePem(former['tls.key']?.toString() ?? '')
    const chain = certificatesOf(next['tls.crt']?.toString() ?? '')
    const key = { alias: 'server', pkcs8: block?.der ?? Buffer.of(), chain }
    const mixed = await encodePkcs12({ key, password, profile: 'Modern2023', random: (size) => randomBytes(size) })
    world.server.volume.write({ ...next, 'keystore.p12': mixed })
    const sight = await look('127.0.0.1', pairOf(secret))
    // The new certificate is shown, and then the signature is wrong, so a look at the certificate alone would not do.
    expect(sight).toMatchObject({ outcome: 'Refused', served: { serialNumber: await world.serial('server') } })
    await world.deliver()
    await serves(await world.serial('server'))
  })
})
