import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ifFound } from './cluster/errors.ts'
import type { Cluster } from './cluster/port.ts'
import { clients, topology } from './profile/profile.fixture.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import { findCondition, isReady } from './resources/conditions.ts'
import { configMaps, secrets } from './resources/core.ts'
import { databaseCertificates } from './resources/database-certificate.ts'
import { databaseTLSProfiles } from './resources/database-tls-profile.ts'
import {
  authority,
  authorityReady,
  certificateNames,
  emptyCluster,
  entriesOf,
  getCertificate,
  getConfigMap,
  getProfile,
  getSecret,
  leafOf,
  namespace,
  pass,
  day,
  profile,
  profileReady,
  put,
  quiet,
  somebody,
  start,
  text,
  until,
  withAuthority,
  writesOfRest,
} from './testing.ts'

/** As many as the figures are about. */
const manyClients = Array.from({ length: 20 }, (_, at) => ({ name: `app-${at}` }))

const made = async (spec: object = {}, authoritySpec: object = {}) => {
  const running = await withAuthority(authoritySpec)
  await put(running.cluster, profile(spec))
  await profileReady(running.cluster)
  await quiet(running.operator)
  return running
}

/** The same profile with another spec, until it is Ready with it. */
const changed = async (cluster: Cluster, spec: object) => {
  await put(cluster, profile(spec))
  return until('the profile to follow', async () => {
    const found = await getProfile(cluster)
    return isReady(found) && found
  })
}

const gone = async (read: Promise<unknown>): Promise<boolean> => (await ifFound(read)) === undefined
const serials = async (cluster: Cluster): Promise<Record<string, string | undefined>> => {
  const { items } = await cluster.list(databaseCertificates, { namespace })
  return Object.fromEntries(items.map(({ metadata, status }) => [metadata.name, status?.serialNumber]))
}

describe('a profile', () => {
  it('becomes certificates, a ConfigMap and a status, in two status writes', async () => {
    const running = await withAuthority()
    const { cluster, operator, writes, events } = running
    await quiet(operator)
    const before = writes.length
    await put(cluster, profile({ topology, clients: manyClients }))
    const { status } = await profileReady(cluster)
    await quiet(operator)
    const names = ['orders-server', ...manyClients.map(({ name }) => `orders-${name}`)]
    expect(await certificateNames(cluster)).toEqual(names.toSorted())
    expect(status?.certificates?.map(({ name }) => name)).toEqual(names)
    const secret = await getSecret(cluster, 'orders-server-tls')
    expect(status?.certificates?.[0]).toMatchObject({
      secretName: 'orders-server-tls',
      role: 'Server',
      serialNumber: leafOf(secret).serialNumber,
    })
    const { data } = await getConfigMap(cluster)
    expect(data?.['accounts.sql']).toContain('app-19')
    expect(findCondition(status?.conditions, 'Ready')?.message).toContain('All 21 certificates are delivered.')
    const since = writes.slice(before)
    const count = (verb: string, plural: string) =>
      since.filter((one) => one.verb === verb && one.plural === plural).length
    expect(count('apply', 'databasecertificates')).toBe(21)
    expect(count('apply', 'configmaps')).toBe(1)
    expect(count('updateStatus', 'databasetlsprofiles')).toBe(2)
    expect(events.filter(({ reason }) => reason === 'Applied')).toHaveLength(1)
    expect(await writesOfRest(running)).toEqual([])
  })

  it('marks what it made as its own', async () => {
    const { cluster } = await made()
    const { metadata: owner } = await getProfile(cluster)
    for (const { metadata } of [await getCertificate(cluster, 'orders-server'), await getConfigMap(cluster)]) {
      expect(metadata.labels).toMatchObject({ 'dbtls.dev/profile': 'orders', 'app.kubernetes.io/managed-by': 'dbtls' })
      expect(metadata.annotations?.['dbtls.dev/owner']).toBe('DatabaseTLSProfile/orders')
      expect(metadata.ownerReferences).toEqual([
        {
          apiVersion: 'dbtls.dev/v1alpha1',
          kind: 'DatabaseTLSProfile',
          name: 'orders',
          uid: owner.uid,
          controller: true,
        },
      ])
    }
  })

  it('is Ready whatever order the manifests come in', async () => {
    const { clock, cluster } = emptyCluster()
    await start(cluster, clock)
    await put(cluster, profile({ clients }))
    await until('it to say what is missing', async () => {
      const ready = findCondition((await getProfile(cluster)).status?.conditions, 'Ready')
      return ready?.reason === 'AuthorityNotFound'
    })
    expect(await certificateNames(cluster)).toEqual([])
    await put(cluster, authority())
    await profileReady(cluster)
    // Nothing was made before the CA was known, and so nothing was made twice.
    expect(await entriesOf(cluster, 'orders-server')).toHaveLength(1)
  })

  it('takes along what the policy of its CA wants to match, and leaves out names that it does not allow', async () => {
    const { cluster } = await made(
      { topology },
      {
        subject: { commonName: 'CA', organizations: ['Acme'] },
        policy: { subject: { organizations: 'Match' }, allowedDNSNames: ['orders.data.svc'] },
      },
    )
    const { spec } = await getCertificate(cluster, 'orders-server')
    expect(spec.subject?.organizations).toEqual(['Acme'])
    expect(spec.dnsNames).toEqual(['orders.data.svc'])
    const { status } = await getProfile(cluster)
    expect(findCondition(status?.conditions, 'Ready')?.message).toContain('the policy of the CA does not allow')
  })

  it('goes with all it made', async () => {
    const { cluster } = await made({ clients })
    await cluster.delete(databaseTLSProfiles, { namespace, name: 'orders' })
    await until('all to go', async () => (await certificateNames(cluster)).length === 0)
    await until('the Secret to go', () => gone(cluster.get(secrets, { namespace, name: 'orders-server-tls' })))
    await until('the ConfigMap to go', () => gone(getConfigMap(cluster)))
  })

  it('leaves a Secret whose certificate a person told to leave it', async () => {
    const running = await made({ clients })
    const { cluster } = running
    const retained = { ...(await getCertificate(cluster, 'orders-app')) }
    const kept = {
      ...retained,
      spec: { ...retained.spec, secret: { ...retained.spec.secret, deletionPolicy: 'Retain' } },
    }
    await cluster.update(databaseCertificates, kept as typeof retained, { fieldManager: 'kubectl' })
    await until('the owner reference to go', async () => {
      const { metadata } = await getSecret(cluster, 'orders-app-tls')
      return (metadata.ownerReferences ?? []).length === 0
    })
    expect(await writesOfRest(running)).toEqual([])
    await cluster.delete(databaseTLSProfiles, { namespace, name: 'orders' })
    await until('the other Secret to go', () => gone(getSecret(cluster, 'orders-server-tls')))
    expect((await getSecret(cluster, 'orders-app-tls')).data?.['tls.key']).toBeDefined()
  })

  it('writes nothing when another process takes over', async () => {
    const { clock, cluster } = emptyCluster()
    const first = await start(cluster, clock)
    await put(cluster, authority())
    await put(cluster, profile({ topology, clients, clientAuthorityRef: { name: 'ca' }, engine: 'PostgreSQL' }))
    await profileReady(cluster)
    await clock.advance(5_000)
    await quiet(first.operator)
    await first.stop()
    const second = await start(cluster, clock)
    await clock.advance(5_000)
    await quiet(second.operator)
    expect(second.writes).toEqual([])
  })

  it('tells of a burst of renewals in few writes', async () => {
    const { clock, cluster, operator, writes } = await made({ clients: manyClients })
    const before = await serials(cluster)
    const from = writes.length
    await pass(clock, 62 * day)
    await until('status to tell of all renewals', async () => {
      const { status } = await getProfile(cluster)
      return status?.certificates?.every(({ name, serialNumber }) => serialNumber !== before[name])
    })
    await quiet(operator)
    const told = writes.slice(from).filter(({ plural }) => plural === 'databasetlsprofiles')
    expect(told.length).toBeGreaterThan(0)
    expect(told.length).toBeLessThan(10)
  })
})

describe('a change of a profile', () => {
  it('of replicas issues anew only when a name is missing', async () => {
    const pods = (replicas: number) => ({ topology: { statefulSet: { name: 'orders', replicas } } })
    const { cluster, operator } = await made(pods(3))
    const first = (await serials(cluster))['orders-server']
    await changed(cluster, pods(4))
    await quiet(operator)
    expect((await serials(cluster))['orders-server']).toBe(first)
    await changed(cluster, pods(5))
    const second = await until('a certificate for more pods', async () => {
      const serial = (await serials(cluster))['orders-server']
      return serial !== first && serial
    })
    expect((await getCertificate(cluster, 'orders-server')).spec.dnsNames).toContain('orders-4.orders')
    await changed(cluster, pods(3))
    await quiet(operator)
    expect((await serials(cluster))['orders-server']).toBe(second)
    expect(await entriesOf(cluster, 'orders-server')).toHaveLength(2)
  })

  it('of replicas with a certificate for each pod makes and removes those of pods', async () => {
    const pods = (replicas: number) => ({
      topology: { statefulSet: { name: 'orders', replicas }, certificatePer: 'Pod' },
    })
    const { cluster } = await made(pods(2))
    const before = await serials(cluster)
    await changed(cluster, pods(3))
    expect(await certificateNames(cluster)).toEqual(['orders-server-0', 'orders-server-1', 'orders-server-2'])
    await changed(cluster, pods(1))
    await until('the others to go', async () => (await certificateNames(cluster)).length === 1)
    expect((await serials(cluster))['orders-server-0']).toBe(before['orders-server-0'])
  })

  it.each([
    { what: 'a client', spec: { clients: [{ name: 'renamed' }] }, gone: 'orders-app', made: 'orders-renamed' },
    {
      what: 'a client that keeps its Secret',
      spec: { clients: [{ name: 'renamed', secretName: 'orders-app-tls' }] },
      gone: 'orders-app',
      made: 'orders-renamed',
    },
  ])('of the name of $what makes one certificate and removes the other', async ({ spec, ...names }) => {
    const { cluster, operator } = await made({ clients: [{ name: 'app' }] })
    const { status } = await changed(cluster, spec)
    await until('the former to go', async () => !(await certificateNames(cluster)).includes(names.gone))
    expect(status?.certificates?.map(({ name }) => name)).toEqual(['orders-server', names.made])
    const { spec: certificate } = await getCertificate(cluster, names.made)
    const secret = await getSecret(cluster, certificate.secret.name)
    expect(secret.metadata.annotations?.['dbtls.dev/owner']).toBe(`DatabaseCertificate/${names.made}`)
    await quiet(operator)
  })

  it('of the Secret of the server delivers into the new one', async () => {
    const { cluster } = await made()
    await changed(cluster, { server: { secretName: 'other-tls' } })
    expect((await getSecret(cluster, 'other-tls')).data?.['tls.key']).toBeDefined()
  })

  it.each([2, 3, 5])('of the Secrets of %i clients among each other moves them all', async (count) => {
    const among = (shift: number) => ({
      clients: Array.from({ length: count }, (_, at) => ({
        name: `c${at}`,
        secretName: `tls-${(at + shift) % count}`,
      })),
    })
    const { cluster, operator } = await made(among(0))
    const before = await serials(cluster)
    const keyIn = async (secret: string): Promise<string> => text(await getSecret(cluster, secret), 'tls.key')
    const keys = new Map<string, string>()
    for (const { secretName } of among(0).clients) keys.set(secretName, await keyIn(secretName))
    const { status } = await changed(cluster, among(1))
    for (const { name, secretName = '', serialNumber } of status?.certificates ?? []) {
      const secret = await getSecret(cluster, secretName)
      expect(secret.metadata.annotations?.['dbtls.dev/owner']).toBe(`DatabaseCertificate/${name}`)
      const { uid } = (await getCertificate(cluster, name)).metadata
      expect(secret.metadata.ownerReferences?.map((owner) => owner.uid)).toEqual([uid])
      const leaf = leafOf(secret)
      expect(leaf.serialNumber, name).toBe(serialNumber)
      const x509 = new X509Certificate(text(secret, 'tls.crt'))
      expect(x509.checkPrivateKey(createPrivateKey(text(secret, 'tls.key'))), name).toBe(true)
      expect(serialNumber === before[name]).toBe(name === 'orders-server')
      expect(keys.get(secretName), 'a key goes to nobody else').not.toBe(await keyIn(secretName))
    }
    expect(await entriesOf(cluster, 'orders-c0')).toHaveLength(2)
    await quiet(operator)
  })

  it('of the name of the ConfigMap moves it', async () => {
    const { cluster } = await made()
    const { data } = await getConfigMap(cluster)
    await changed(cluster, { config: { configMapName: 'files' } })
    expect((await getConfigMap(cluster, 'files')).data).toEqual(data)
    await until('the former to go', () => gone(getConfigMap(cluster)))
  })

  it('of a client changes files, and no certificate of others', async () => {
    const { cluster } = await made({ clients: [{ name: 'app' }] })
    const before = await serials(cluster)
    await changed(cluster, { clients: [{ name: 'app', require: 'TLS' }, { name: 'more' }] })
    const { data } = await getConfigMap(cluster)
    expect(data?.['accounts.sql']).toContain('more')
    expect(await serials(cluster)).toMatchObject(before)
  })
})

describe('what somebody changes', () => {
  it.each([
    { what: 'names', spec: { dnsNames: ['evil.example.com'] } },
    { what: 'the CA', spec: { authorityRef: { name: 'other' } } },
    {
      what: 'items',
      spec: { secret: { name: 'orders-server-tls', items: [{ key: 'tls.crt', content: 'PrivateKey' }] } },
    },
  ])('in a certificate is put back: $what', async ({ spec }) => {
    const running = await made()
    const { cluster } = running
    const before = (await getCertificate(cluster, 'orders-server')).spec
    const { apiVersion, kind, metadata } = await getCertificate(cluster, 'orders-server')
    const patch = { apiVersion, kind, metadata: { name: metadata.name, namespace }, spec }
    await cluster.apply(databaseCertificates, patch as never, somebody)
    await until('it to be put back', async () => {
      const now = (await getCertificate(cluster, 'orders-server')).spec
      return JSON.stringify(now) === JSON.stringify(before)
    })
    await profileReady(cluster)
    expect(await writesOfRest(running)).toEqual([])
  })

  it('beside it stays: a renewal that is asked for, a label', async () => {
    const running = await made()
    const { cluster } = running
    const before = (await serials(cluster))['orders-server']
    const more = {
      apiVersion: 'dbtls.dev/v1alpha1',
      kind: 'DatabaseCertificate',
      metadata: { name: 'orders-server', namespace, labels: { team: 'orders' } },
      spec: { renewTrigger: 'now' },
    }
    await cluster.apply(databaseCertificates, more as never, somebody)
    await until('the renewal', async () => (await serials(cluster))['orders-server'] !== before)
    await profileReady(cluster)
    const { metadata } = await getCertificate(cluster, 'orders-server')
    expect(metadata.labels?.['team']).toBe('orders')
    expect(await writesOfRest(running)).toEqual([])
  })

  it.each([
    { what: 'text', patch: { data: { 'accounts.sql': 'DROP DATABASE orders;' } } },
    { what: 'an owner', patch: { metadata: { annotations: { 'dbtls.dev/data-hash': 'x' } } } },
    { what: 'a label', patch: { metadata: { labels: { 'dbtls.dev/profile': 'x' } } } },
  ])('in the ConfigMap is put back: $what', async ({ patch }) => {
    const running = await made({ clients })
    const { cluster } = running
    const before = await getConfigMap(cluster)
    const { name } = before.metadata
    const metadata = { name, namespace, ...('metadata' in patch ? patch.metadata : {}) }
    await cluster.apply(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', ...patch, metadata }, somebody)
    await until('it to be put back', async () => {
      const { data, metadata: now } = await getConfigMap(cluster)
      return (
        JSON.stringify([data, now.annotations, now.labels]) ===
        JSON.stringify([before.data, before.metadata.annotations, before.metadata.labels])
      )
    })
    expect(await writesOfRest(running)).toEqual([])
  })

  it('and deletes is made again', async () => {
    const { cluster } = await made({ clients })
    const { uid } = (await getCertificate(cluster, 'orders-app')).metadata
    await cluster.delete(databaseCertificates, { namespace, name: 'orders-app' })
    await cluster.delete(configMaps, { namespace, name: 'orders-tls-config' })
    await until('both to be there again', async () => {
      const certificate = await ifFound(getCertificate(cluster, 'orders-app'))
      const files = await ifFound(getConfigMap(cluster))
      return certificate !== undefined && certificate.metadata.uid !== uid && files !== undefined
    })
    await profileReady(cluster)
  })
})

describe('a second CA for clients', () => {
  it('is trusted by servers, and the first by clients, and both are followed', async () => {
    const running = await withAuthority({ trustBundle: { targets: [] } })
    const { clock, cluster } = running
    // Renewed well before what it signs, which must not fall into the rest.
    await put(cluster, authority({ duration: '110d', renewBefore: '90d' }, 'clients'))
    await authorityReady(cluster, 'clients')
    await put(cluster, profile({ engine: 'PostgreSQL', clients, clientAuthorityRef: { name: 'clients' } }))
    await profileReady(cluster)
    const root = async (): Promise<string> => (await getSecret(cluster, 'clients-ca')).data?.['tls.crt'] ?? ''
    const trusted = async (name: string): Promise<string> => (await getConfigMap(cluster, name)).data?.['ca.crt'] ?? ''
    expect(Buffer.from(await root(), 'base64').toString()).toBe(await trusted('orders-client-ca'))
    expect(await trusted('orders-server-ca')).not.toBe(await trusted('orders-client-ca'))
    expect((await getConfigMap(cluster, 'orders-server-ca')).binaryData?.['truststore.jks']).toBeDefined()
    const before = await root()
    await pass(clock, 25 * day)
    await until('the next certificate of the CA', async () => (await root()) !== before)
    await until('it to be trusted', async () =>
      (await trusted('orders-client-ca')).includes(Buffer.from(await root(), 'base64').toString()),
    )
    await profileReady(cluster)
    // Certificates follow the CA in their own time.
    await writesOfRest(running)
    expect(await writesOfRest(running)).toEqual([])
    await changed(cluster, { engine: 'PostgreSQL', clients })
    for (const name of ['orders-client-ca', 'orders-server-ca'])
      await until(`${name} to go`, () => gone(getConfigMap(cluster, name)))
  })
})

describe('a managed server', () => {
  it('costs no certificate: what it is trusted by, files and commands', async () => {
    const running = await withAuthority()
    const { cluster } = running
    const root = Buffer.from((await getSecret(cluster, 'ca-ca')).data?.['tls.crt'] ?? '', 'base64').toString()
    const rds = { source: { trustOnly: { inline: root } } }
    await cluster.apply(certificateAuthorities, { ...authority({}, 'rds'), spec: rds } as never, somebody)
    await authorityReady(cluster, 'rds')
    await put(
      cluster,
      profile({
        engine: 'External',
        authorityRef: { name: 'rds' },
        topology: undefined,
        connection: { host: 'orders.abc.eu-west-1.rds.amazonaws.com' },
        clients: [{ name: 'app' }],
      }),
    )
    const { status } = await profileReady(cluster)
    expect(await certificateNames(cluster)).toEqual([])
    expect(status?.certificates).toEqual([])
    expect((await getConfigMap(cluster, 'orders-server-ca')).data?.['ca.crt']).toBe(root)
    expect((await getConfigMap(cluster)).data?.['commands.md']).toContain('orders.abc.eu-west-1.rds.amazonaws.com')
    expect(await writesOfRest(running)).toEqual([])
  })
})
