/** The volumes and files of a profile's pods, as the tests of servers find them. */
import { X509Certificate } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { Reaper } from '../controlplane/harness/process.ts'
import { ProfileWorld } from './harness/profile.ts'
import { serverUser } from './harness/server-user.ts'

const manifests = parse(`
spec:
  engine: Etcd
  topology: { services: [orders] }
  connection: { host: orders.data.svc, port: 12379 }
  clients: [{ name: app }, { name: report }]
`) as { spec: object }

const serialOf = (file: string): string => new X509Certificate(readFileSync(file)).serialNumber

describe('volumes of a profile', () => {
  let world: ProfileWorld
  beforeAll(async () => {
    world = await ProfileWorld.start({ ...manifests, reaper: new Reaper() })
  })
  afterAll(async () => {
    await world[Symbol.asyncDispose]()
  })

  it('stand at the paths that the files of the ConfigMap name', () => {
    const { server } = world
    expect(server.files['etcd.yaml']).toContain(`  cert-file: ${server.folder}/tls.crt\n`)
    expect(server.files['etcd.yaml']).toContain(`  cert-file: ${server.folder}/peer/tls.crt\n`)
    const app = world.client('app')
    expect(app.files['commands.md']).toContain(`--cert=${app.folder}/tls.crt`)
    for (const file of ['tls.crt', 'peer/tls.crt']) expect(serialOf(join(server.folder, file))).toMatch(/^[0-9A-F]+$/)
  })

  it('hold links to files that only root may write and the group may read', () => {
    const { folder } = world.server
    expect(readdirSync(folder).filter((name) => !name.startsWith('..'))).toEqual([
      'ca.crt',
      'peer',
      'tls.crt',
      'tls.key',
    ])
    expect(readlinkSync(join(folder, 'tls.key'))).toBe('..data/tls.key')
    expect(lstatSync(join(folder, '..data')).isSymbolicLink()).toBe(true)
    const { mode, gid, uid } = statSync(join(folder, 'tls.key'))
    if (serverUser === undefined) expect([mode & 0o777, uid]).toEqual([0o600, process.getuid?.()])
    else expect([mode & 0o777, uid, gid]).toEqual([0o640, 0, serverUser.fsGroup])
  })

  it('change when the kubelet comes by, and not before', async () => {
    const file = join(world.server.folder, 'tls.crt')
    const peer = join(world.server.folder, 'peer/tls.crt')
    const [before, peerBefore] = [serialOf(file), serialOf(peer)]
    expect(before).toBe(await world.serial('server'))
    await world.renew('server')
    expect(serialOf(file)).toBe(before)
    await world.deliver()
    expect(serialOf(file)).toBe(await world.serial('server'))
    expect(serialOf(file)).not.toBe(before)
    expect(serialOf(peer)).toBe(peerBefore)
  })

  it('follow a CA through the stages of its replacement', async () => {
    const authorities = (folder: string): number =>
      readFileSync(join(folder, 'ca.crt'), 'utf8').split('BEGIN CERTIFICATE').length - 1
    const client = world.client('app').folder
    const before = serialOf(join(client, 'tls.crt'))
    await world.trust('Both')
    await world.deliver()
    expect([authorities(client), authorities(world.server.folder)]).toEqual([2, 2])
    expect(serialOf(join(client, 'tls.crt'))).toBe(before)
    await world.trust('NextSigns')
    await world.deliver()
    expect(serialOf(join(client, 'tls.crt'))).not.toBe(before)
    expect(authorities(client)).toBe(2)
    await world.trust('Next')
    await world.deliver()
    expect(authorities(client)).toBe(1)
  })
})

it('gives each pod its own certificate, and each side the CA of the other, where the profile says so', async () => {
  const selfSigned = (name: string) => ({
    ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'CertificateAuthority', metadata: { name } },
    spec: { source: { selfSigned: {} }, subject: { commonName: name } },
  })
  await using world = await ProfileWorld.start({
    objects: [selfSigned('orders-ca'), selfSigned('clients-ca')],
    spec: {
      engine: 'PostgreSQL',
      clientAuthorityRef: { name: 'clients-ca' },
      topology: { statefulSet: { name: 'orders', replicas: 2 }, certificatePer: 'Pod' },
      clients: [{ name: 'app' }],
    },
    reaper: new Reaper(),
  })
  const issuer = (...path: string[]): string => new X509Certificate(readFileSync(join(...path))).issuer
  for (const name of ['server-0', 'server-1']) {
    const { folder, files } = world.pod(name)
    const found = new X509Certificate(readFileSync(join(folder, 'tls.crt')))
    expect(found.checkHost(`orders-${name.slice(-1)}.orders.data.svc`)).toBeDefined()
    expect(issuer(folder, 'client-ca/ca.crt')).toBe('CN=clients-ca')
    expect(files['postgresql.conf']).toContain(`ssl_ca_file = '${folder}/client-ca/ca.crt'`)
  }
  const { folder, files } = world.client('app')
  expect(issuer(folder, 'tls.crt')).toBe('CN=clients-ca')
  expect(issuer(folder, 'server-ca/ca.crt')).toBe('CN=orders-ca')
  expect(files['client.conf']).toContain(`sslrootcert=${folder}/server-ca/ca.crt`)
})
