/** Profiles that cannot be had, in part or at all: what they say, what they make all the same, and what stays. */
import { describe, expect, it } from 'vitest'
import { ApiError, ifFound } from './cluster/errors.ts'
import type { Cluster, KubeObject, Resource } from './cluster/port.ts'
import { withVerbs } from './faults.fixture.ts'
import { clients } from './profile/profile.fixture.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import { findCondition, isReady } from './resources/conditions.ts'
import { configMaps, namespaces, secrets } from './resources/core.ts'
import { databaseCertificates } from './resources/database-certificate.ts'
import { databaseTLSProfiles } from './resources/database-tls-profile.ts'
import {
  authority,
  authorityReady,
  certificate,
  certificateNames,
  configMapOf,
  entriesOf,
  getCertificate,
  getConfigMap,
  getProfile,
  getSecret,
  leafOf,
  namespace,
  person,
  profile,
  profileReady,
  profileSays,
  put,
  quiet,
  ready,
  secretOf,
  somebody,
  storedBefore,
  until,
  withAuthority,
  writesOfRest,
} from './testing.ts'

const conditionOf = async (cluster: Cluster, type: string, name = 'orders') =>
  findCondition((await getProfile(cluster, name)).status?.conditions, type)

interface Row {
  readonly what: string
  readonly before?: (cluster: Cluster) => Promise<unknown>
  readonly spec?: object
  readonly reason: string
  readonly state?: 'Stalled' | 'Reconciling'
  readonly says: readonly string[]
  readonly cure?: (cluster: Cluster) => Promise<unknown>
}

const annotate = async (cluster: Cluster, resource: Resource, name: string): Promise<unknown> => {
  const { apiVersion, kind } = await cluster.get(resource, { namespace, name })
  const metadata = { name, namespace, annotations: { 'dbtls.dev/adopt': 'true' } }
  return cluster.apply(resource, { apiVersion, kind, metadata }, somebody)
}

const rows: readonly Row[] = [
  {
    what: 'a CA that does not exist, then does',
    spec: { authorityRef: { name: 'later' } },
    reason: 'AuthorityNotFound',
    says: ['CertificateAuthority data/later of spec.authorityRef does not exist'],
    cure: async (cluster) => {
      await put(cluster, authority({}, 'later'))
    },
  },
  {
    what: 'a CA for clients that does not exist',
    spec: { engine: 'PostgreSQL', clientAuthorityRef: { name: 'later' }, clients },
    reason: 'AuthorityNotFound',
    says: ['CertificateAuthority data/later of spec.clientAuthorityRef does not exist'],
  },
  {
    what: 'a CA of another namespace that does not allow this one, then does',
    before: (cluster) => put(cluster, { ...authority(), metadata: { name: 'ca', namespace: 'pki' } }),
    spec: { authorityRef: { name: 'ca', namespace: 'pki' } },
    reason: 'AuthorityNotAllowed',
    says: ['spec.authorityRef', 'CertificateAuthority pki/ca may be used from its own namespace only'],
    cure: (cluster) =>
      put(cluster, {
        ...authority({ allowedNamespaces: { from: 'Names', names: [namespace] } }),
        metadata: { name: 'ca', namespace: 'pki' },
      }),
  },
  {
    what: 'a CA that is only trusted',
    before: async (cluster) => {
      const root = (await getSecret(cluster, 'ca-ca')).data?.['tls.crt'] ?? ''
      const source = { trustOnly: { inline: Buffer.from(root, 'base64').toString() } }
      await cluster.apply(certificateAuthorities, { ...authority({}, 'rds'), spec: { source } } as never, person)
      await authorityReady(cluster, 'rds')
    },
    spec: { authorityRef: { name: 'rds' } },
    reason: 'AuthorityNotAllowed',
    says: ['trust anchor alone (spec.source.trustOnly)'],
  },
  {
    what: 'a CA that is not Ready',
    before: async (cluster) => {
      const source = { secret: { name: 'nowhere' } }
      await cluster.apply(certificateAuthorities, { ...authority({}, 'brought'), spec: { source } } as never, person)
    },
    spec: { authorityRef: { name: 'brought' } },
    reason: 'AuthorityNotReady',
    state: 'Reconciling',
    says: ['CertificateAuthority data/brought of spec.authorityRef is not Ready: ', 'nowhere'],
  },
  {
    what: 'a version that is not known',
    spec: { version: '99' },
    reason: 'ProfileInvalid',
    says: ['spec.version: MySQL 99 is not known here; write one of MySQL'],
    cure: (cluster) => put(cluster, profile({ version: '8.4' })),
  },
  {
    what: 'a version that is none',
    spec: { version: "8.4'; DROP" },
    reason: 'ProfileInvalid',
    says: ['spec.version: it is no version of a database'],
  },
  {
    what: 'no server at all',
    spec: { topology: {} },
    reason: 'ProfileInvalid',
    says: ['spec.topology: it names no server'],
  },
  {
    what: 'a key that the engine refuses',
    spec: { engine: 'Kafka', server: { privateKey: { algorithm: 'RSA', encoding: 'PKCS1' } } },
    reason: 'ProfileInvalid',
    says: ['spec.server.privateKey'],
  },
  {
    what: 'a key that the layout cannot hold',
    spec: { layout: { preset: 'OpenXchange' }, server: { privateKey: { algorithm: 'ECDSA' } } },
    reason: 'ProfileInvalid',
    says: ['spec.server.privateKey.algorithm: layout OpenXchange writes keys as PKCS #1', 'set algorithm: RSA'],
  },
  {
    what: 'one Secret for two clients',
    spec: {
      clients: [
        { name: 'one', secretName: 'same' },
        { name: 'two', secretName: 'same' },
      ],
    },
    reason: 'ProfileInvalid',
    says: ['spec.clients[1].secretName: Secret same is the one of client one already; choose another secretName'],
  },
  {
    what: 'the Secret of a certificate made by hand',
    before: async (cluster) => {
      await put(cluster, certificate({ secret: { name: 'orders-server-tls' } }, 'by-hand'))
      await ready(cluster, 'by-hand')
    },
    reason: 'SecretInTheWay',
    says: [
      'Secret "orders-server-tls", which DatabaseCertificate "orders-server" is to write, is the one of DatabaseCertificate "by-hand"',
      'Choose another secretName',
    ],
    cure: (cluster) => cluster.delete(databaseCertificates, { namespace, name: 'by-hand' }),
  },
  {
    what: 'a certificate of that name made by hand',
    before: (cluster) => put(cluster, certificate({}, 'orders-server')),
    reason: 'CertificateInTheWay',
    says: ['DatabaseCertificate "orders-server" was not made for this profile', 'dbtls.dev/adopt: "true"'],
    cure: (cluster) => annotate(cluster, databaseCertificates, 'orders-server'),
  },
  {
    what: 'a certificate of that name made by another controller',
    before: async (cluster) => {
      const made = certificate({}, 'orders-server')
      const { metadata } = await cluster.create(configMaps, configMapOf('x', {}), person)
      const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: metadata.uid ?? '', controller: true }
      return put(cluster, { ...made, metadata: { ...made.metadata, ownerReferences: [owner] } })
    },
    reason: 'CertificateInTheWay',
    says: ['DatabaseCertificate "orders-server" belongs to ConfigMap/x'],
  },
  {
    what: 'a Secret of somebody else, then offered',
    before: (cluster) =>
      cluster.create(
        secrets,
        secretOf('orders-server-tls', { 'tls.crt': 'x', 'tls.key': 'y' }, { type: 'kubernetes.io/tls' }),
        person,
      ),
    reason: 'CertificatesNotReady',
    says: ['orders-server: SecretInTheWay: Secret "orders-server-tls" was not made by dbtls'],
    cure: (cluster) => annotate(cluster, secrets, 'orders-server-tls'),
  },
  {
    what: 'the Secret of the CA',
    spec: { server: { secretName: 'ca-ca' } },
    reason: 'CertificatesNotReady',
    says: ['orders-server: SecretInTheWay: Secret "ca-ca" belongs to CertificateAuthority/ca'],
  },
  {
    what: 'a ConfigMap of somebody else, then offered',
    before: (cluster) => cluster.create(configMaps, configMapOf('orders-tls-config', { theirs: 'kept' }), person),
    reason: 'ConfigMapInTheWay',
    says: ['ConfigMap "orders-tls-config" was not made for this profile', 'Choose another name (metadata.name)'],
    cure: (cluster) => annotate(cluster, configMaps, 'orders-tls-config'),
  },
  {
    what: 'a ConfigMap of a trust bundle',
    before: async (cluster) => {
      const items = [{ key: 'ca.crt', content: 'TrustBundle' }]
      await put(cluster, authority({ trustBundle: { targets: [{ kind: 'ConfigMap', name: 'files', items }] } }))
      await until('the target', () => ifFound(getConfigMap(cluster, 'files')))
    },
    spec: { config: { configMapName: 'files' } },
    reason: 'ConfigMapInTheWay',
    says: ['ConfigMap "files" belongs to CertificateAuthority/data/ca', 'spec.config.configMapName'],
  },
  {
    what: 'an immutable ConfigMap of its own, deleted then',
    before: async (cluster) => {
      await put(cluster, profile())
      await profileReady(cluster)
      const { apiVersion, kind, metadata, data } = await getConfigMap(cluster)
      const { name } = metadata
      await cluster.apply(
        configMaps,
        { apiVersion, kind, metadata: { name, namespace }, data, immutable: true } as never,
        person,
      )
    },
    spec: { clients },
    reason: 'ConfigMapInTheWay',
    says: ['ConfigMap "orders-tls-config" is marked immutable and holds something else; delete it'],
    cure: (cluster) => cluster.delete(configMaps, { namespace, name: 'orders-tls-config' }),
  },
]

describe('a profile that cannot be had', () => {
  it.each(rows)('for $what says so', async ({ before, spec, reason, state = 'Stalled', says, cure }) => {
    const running = await withAuthority()
    const { cluster, operator, events } = running
    await put(cluster, certificate({}, 'bystander'))
    const bystander = (await ready(cluster, 'bystander')).status?.serialNumber
    await before?.(cluster)
    await put(cluster, storedBefore(profile(spec)))
    const { message } = await profileSays(cluster, reason)
    for (const words of says) expect(message).toContain(words)
    expect((await conditionOf(cluster, state))?.reason).toBe(reason)
    await quiet(operator)
    if (state === 'Stalled')
      expect(events.filter(({ type }) => type === 'Warning').map((one) => one.reason)).toContain(reason)
    expect(await writesOfRest(running)).toEqual([])
    expect((await getCertificate(cluster, 'bystander')).status?.serialNumber).toBe(bystander)
    if (cure === undefined) return
    await cure(cluster)
    await profileReady(cluster)
  })

  it('leaves the keys of others in a ConfigMap it was offered, and the ConfigMap when it goes', async () => {
    const { cluster } = await withAuthority()
    await cluster.create(configMaps, configMapOf('orders-tls-config', { theirs: 'kept' }), person)
    await annotate(cluster, configMaps, 'orders-tls-config')
    await put(cluster, profile())
    await profileReady(cluster)
    const { data, metadata } = await getConfigMap(cluster)
    expect(data).toMatchObject({ theirs: 'kept', 'commands.md': expect.stringContaining('#') as string })
    expect(metadata.ownerReferences).toBeUndefined()
    await put(cluster, profile({ config: { configMapName: 'files' } }))
    await until('ours to be given up', async () => {
      const left = await getConfigMap(cluster)
      return JSON.stringify(left.data) === JSON.stringify({ theirs: 'kept' })
    })
  })

  it('is told of a namespace that goes, and makes nothing in it', async () => {
    const { cluster, operator } = await withAuthority({ allowedNamespaces: { from: 'All' } })
    const going = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'going', finalizers: ['example.com/hold'] },
    }
    await cluster.apply(namespaces, going, person)
    await cluster.delete(namespaces, { name: 'going' })
    const made = profile({ authorityRef: { name: 'ca', namespace } })
    await put(cluster, { ...made, metadata: { name: 'orders', namespace: 'going' } })
    const said = await until('it to say so', async () => {
      const found = await cluster.get(databaseTLSProfiles, { namespace: 'going', name: 'orders' })
      return findCondition(found.status?.conditions, 'Reconciling')
    })
    expect(said).toMatchObject({ reason: 'NamespaceTerminating' })
    await quiet(operator)
    expect((await cluster.list(databaseCertificates, { namespace: 'going' })).items).toEqual([])
  })

  it.each([
    {
      what: 'a namespace that began to go meanwhile',
      error: { status: 403, reason: 'Forbidden', message: 'x', causes: [{ reason: 'NamespaceTerminating' }] },
      says: 'NamespaceTerminating',
    },
    { what: 'a quota', error: { status: 403, reason: 'Forbidden', message: 'exceeded quota' }, says: 'WriteFailed' },
    { what: 'a policy', error: { status: 422, reason: 'Invalid', message: 'not here' }, says: 'WriteFailed' },
  ])('is told of $what', async ({ error, says }) => {
    let refusing = true
    const running = await withAuthority({}, (cluster) =>
      withVerbs(cluster, {
        apply: <T extends KubeObject>(resource: Resource<T>, object: T, options: Parameters<Cluster['apply']>[2]) =>
          refusing && object.metadata.name === 'orders-app'
            ? Promise.reject(new ApiError(error))
            : cluster.apply(resource, object, options),
      }),
    )
    const { clock, cluster } = running
    await put(cluster, profile({ clients }))
    const { message } = await profileSays(cluster, says)
    if (says === 'WriteFailed') expect(message).toContain('DatabaseCertificate "orders-app"')
    // The others are there all the same.
    await until('the others', async () => (await certificateNames(cluster)).length === 2)
    await ready(cluster, 'orders-server')
    refusing = false
    // What a policy refuses is not tried again by itself: the profile is touched.
    if (error.status === 422) await put(cluster, profile({ clients, mountPath: '/tls' }))
    await until('the profile to be Ready', async () => {
      await clock.advance(5_000)
      return isReady(await getProfile(cluster))
    })
  })

  it('does not go on and on where somebody changes what it applies', async () => {
    const running = await withAuthority({}, (cluster) =>
      withVerbs(cluster, {
        apply: <T extends KubeObject>(resource: Resource<T>, object: T, options: Parameters<Cluster['apply']>[2]) => {
          if (object.metadata.name !== 'orders-server' || object.kind !== 'DatabaseCertificate')
            return cluster.apply(resource, object, options)
          const { spec } = object as unknown as { readonly spec: object }
          return cluster.apply(resource, { ...object, spec: { ...spec, duration: '30d' } }, options)
        },
      }),
    )
    await put(running.cluster, profile({ server: { duration: '60d' } }))
    await profileReady(running.cluster)
    expect(await writesOfRest(running)).toEqual([])
    expect(running.writes.filter(({ plural }) => plural === 'databasecertificates').length).toBeLessThan(6)
  })
})

describe('a ConfigMap that is too large', () => {
  const many = Array.from({ length: 128 }, (_, at) => ({
    name: `client-${at}-${'c'.repeat(50)}`,
    username: `${'"`\\'.repeat(9)}${at}`,
    database: 'd'.repeat(64),
    host: '%'.repeat(250),
    java: true,
  }))
  const host = `${'h'.repeat(60)}.${'o'.repeat(60)}.${'s'.repeat(60)}.${'t'.repeat(60)}`

  it('is said, and what stands stays', async () => {
    const { cluster } = await withAuthority()
    await put(cluster, profile())
    await profileReady(cluster)
    const before = await getConfigMap(cluster)
    await put(cluster, profile({ mountPath: `/${'m'.repeat(250)}`, connection: { host }, clients: many }))
    const { message } = await profileSays(cluster, 'ConfigMapTooLarge')
    expect(message).toMatch(/ConfigMap "orders-tls-config" would hold \d+ bytes, and Kubernetes takes at most 1048576/)
    expect((await getConfigMap(cluster)).data).toEqual(before.data)
  })
})

describe('what was delivered', () => {
  it.each([
    { what: 'an unknown version', spec: { version: '99', clients: [] } },
    { what: 'a client that cannot be', spec: { clients: [{ name: 'app', username: 'a\nb' }] } },
    { what: 'a layout that does not fit', spec: { layout: { preset: 'OpenXchange' }, clients: [] } },
    { what: 'no server', spec: { topology: {}, clients: [] } },
    { what: 'a CA that is not there', spec: { authorityRef: { name: 'later' }, clients: [] } },
    { what: 'a certificate in the way', spec: { clients: [{ name: 'by-hand' }] }, isRight: true },
  ])('stays while the profile asks for $what', async ({ spec, isRight }) => {
    const running = await withAuthority()
    const { cluster, operator } = running
    await put(cluster, certificate({}, 'orders-by-hand'))
    await put(cluster, profile({ clients: [{ name: 'app' }, { name: 'report' }] }))
    await profileReady(cluster)
    const names = ['orders-app-tls', 'orders-report-tls', 'orders-server-tls']
    const contents = () => Promise.all(names.map(async (name) => (await getSecret(cluster, name)).data))
    const before = await contents()
    const files = (await getConfigMap(cluster)).data
    await put(cluster, storedBefore(profile(spec)))
    await until('it to stall', () => conditionOf(cluster, 'Stalled'))
    await quiet(operator)
    expect(await contents()).toEqual(before)
    // Files follow a spec that is right in itself, whatever stands in the way of a certificate.
    if (!isRight) expect((await getConfigMap(cluster)).data).toEqual(files)
    const { status } = await getProfile(cluster)
    expect(status?.certificates?.map(({ name }) => name).toSorted()).toEqual([
      'orders-app',
      'orders-report',
      'orders-server',
    ])
    expect(await writesOfRest(running)).toEqual([])
  })

  it('stays, and is not Ready, when the CA comes to refuse it', async () => {
    const { cluster } = await withAuthority()
    await put(cluster, profile({ clients: [{ name: 'app' }] }))
    await profileReady(cluster)
    const serial = leafOf(await getSecret(cluster, 'orders-app-tls')).serialNumber
    await put(cluster, authority({ policy: { maxDuration: '1d' } }))
    await put(cluster, profile({ clients: [{ name: 'app' }], server: { duration: '60d' } }))
    const { message } = await profileSays(cluster, 'CertificatesNotReady', 'orders-app')
    expect(message).toMatch(/Not Ready of 2 certificates: orders-server: PolicyViolation: /)
    expect(leafOf(await getSecret(cluster, 'orders-app-tls')).serialNumber).toBe(serial)
  })
})

/** What might leave its place in a statement, a file, a name or a path. */
const hostile = [
  "o'brien",
  "x'; DROP TABLE orders; -- ",
  'double"quote',
  'back\\slash',
  'back\\',
  'new\nline',
  'carriage\rreturn',
  '`tick`',
  '$(reboot)',
  '${HOME}',
  '%n%s',
  '<b>&amp;',
  'a=b,c=d',
  'a/b',
  'tab\there',
  'nul\u0000',
  '\u202Egnp.exe',
  'ünï©ode',
  ' leading and trailing ',
  '#comment',
  '__proto__',
  'constructor',
  // The longest that is admitted; test/conformance/corpus/profile.yaml has longer ones.
  'x'.repeat(128),
] as const

describe('a client by a hostile name', () => {
  it.each(['MySQL', 'MariaDB', 'PostgreSQL', 'MongoDB', 'ClickHouse', 'Kafka', 'TiDB', 'Redis'])(
    'costs %s nobody else anything: refused, or quoted',
    async (engine) => {
      const running = await withAuthority()
      const { cluster } = running
      const corpus = hostile.map((username, at) => ({ name: `hostile-${at}`, username }))
      const listed = { topology: { services: ['orders'] }, engine, clients: [{ name: 'good' }, ...corpus] }
      await put(cluster, profile(listed))
      await until('it to be answered', async () => (await getProfile(cluster)).status?.observedGeneration === 1)
      const said = await until('a verdict', () => conditionOf(cluster, 'Ready'))
      for (const name of ['orders-server', 'orders-good']) await ready(cluster, name)
      const refused = [...said.message.matchAll(/spec\.clients\[(\d+)\]/g)].map(([, at]) => Number(at) - 1)
      for (const [at, username] of hostile.entries()) {
        if (['\n', '\r', '\u0000'].some((character) => username.includes(character)))
          expect(refused, JSON.stringify(username)).toContain(at)
        if (!refused.includes(at)) expect(await ifFound(getCertificate(cluster, `orders-hostile-${at}`))).toBeDefined()
      }
      const files = (await getConfigMap(cluster)).data ?? {}
      for (const [file, text] of Object.entries(files)) expect(text, file).not.toContain('\u0000')
      expect(await entriesOf(cluster, 'orders-server')).toHaveLength(1)
    },
  )
})

describe('two profiles', () => {
  it('of one name for a certificate: the second is told whose it is', async () => {
    const { cluster } = await withAuthority()
    await put(cluster, profile({ clients: [{ name: 'b-c' }] }, 'a'))
    await profileReady(cluster, 'a')
    await put(cluster, profile({ clients: [{ name: 'c' }] }, 'a-b'))
    const { message } = await profileSays(cluster, 'CertificateInTheWay', '', 'a-b')
    expect(message).toContain('DatabaseCertificate "a-b-c" belongs to DatabaseTLSProfile/a')
    await ready(cluster, 'a-b-server')
    await put(cluster, profile({ clients: [] }, 'a'))
    await profileReady(cluster, 'a-b')
    expect((await getCertificate(cluster, 'a-b-c')).metadata.annotations?.['dbtls.dev/owner']).toBe(
      'DatabaseTLSProfile/a-b',
    )
  })

  it('of one Secret: whoever had it first keeps it', async () => {
    const { cluster } = await withAuthority()
    await put(cluster, profile({ server: { secretName: 'shared' } }, 'first'))
    await profileReady(cluster, 'first')
    await put(cluster, profile({ server: { secretName: 'shared' } }, 'second'))
    const { message } = await profileSays(cluster, 'SecretInTheWay', '', 'second')
    expect(message).toContain('DatabaseCertificate "first-server" of DatabaseTLSProfile/first')
    expect(isReady(await getProfile(cluster, 'first'))).toBe(true)
    await put(cluster, profile({ server: { secretName: 'own' } }, 'second'))
    await profileReady(cluster, 'second')
  })

  it('among whose clients Secrets are to change: none leaves its own for one that it cannot have', async () => {
    const { cluster, operator } = await withAuthority()
    const clientsOf = (...secretNames: readonly string[]) => ({
      clients: secretNames.map((secretName, at) => ({ name: `c${at}`, secretName })),
    })
    await put(cluster, profile(clientsOf('zero', 'one', 'two')))
    await put(cluster, profile(clientsOf('theirs'), 'other'))
    await profileReady(cluster)
    await profileReady(cluster, 'other')
    const holders = async () =>
      Object.fromEntries(
        await Promise.all(
          ['zero', 'one', 'two', 'theirs'].map(async (name) => {
            const { annotations } = (await getSecret(cluster, name)).metadata
            return [name, annotations?.['dbtls.dev/owner']] as const
          }),
        ),
      )
    const before = await holders()
    // A chain that ends at somebody else's Secret.
    await put(cluster, profile(clientsOf('one', 'two', 'theirs')))
    const { message } = await profileSays(cluster, 'SecretInTheWay')
    expect(message).toContain('"orders-c2" is to write, is the one of DatabaseCertificate "other-c0"')
    await quiet(operator)
    expect(await holders()).toEqual(before)
    for (const at of [0, 1, 2]) expect(isReady(await getCertificate(cluster, `orders-c${at}`)), String(at)).toBe(true)
    // The other one gives way.
    await put(cluster, profile(clientsOf('own'), 'other'))
    await profileReady(cluster, 'other')
    await put(cluster, profile(clientsOf('one', 'two', 'zero')))
    await profileReady(cluster)
    expect(await holders()).toEqual({
      zero: 'DatabaseCertificate/orders-c2',
      one: 'DatabaseCertificate/orders-c0',
      two: 'DatabaseCertificate/orders-c1',
      theirs: 'DatabaseCertificate/other-c0',
    })
    await quiet(operator)
  })

  it('of one ConfigMap: whoever had it first keeps it, until it goes', async () => {
    const { cluster } = await withAuthority()
    await put(cluster, profile({ config: { configMapName: 'files' } }, 'first'))
    await profileReady(cluster, 'first')
    await put(cluster, profile({ config: { configMapName: 'files' } }, 'second'))
    const { message } = await profileSays(cluster, 'ConfigMapInTheWay', '', 'second')
    expect(message).toContain('ConfigMap "files" belongs to DatabaseTLSProfile/first')
    await cluster.delete(databaseTLSProfiles, { namespace, name: 'first' })
    await profileReady(cluster, 'second')
  })

  it('that come at once with one Secret: one of them has it, and the other says so', async () => {
    const { cluster, operator } = await withAuthority()
    await Promise.all(
      ['first', 'second'].map((name) => put(cluster, profile({ server: { secretName: 'shared' } }, name))),
    )
    await until('one to have it and the other to say so', async () => {
      const both = await Promise.all(['first', 'second'].map((name) => getProfile(cluster, name)))
      const stalls = both.filter(({ status }) => findCondition(status?.conditions, 'Stalled') !== undefined)
      return both.some(isReady) && stalls.length === 1
    })
    await quiet(operator)
  })
})

describe('certificates that came back from a restore', () => {
  it('are taken in with what they hold', async () => {
    const { cluster, operator } = await withAuthority()
    await put(cluster, profile({ clients: [{ name: 'app' }] }))
    await profileReady(cluster)
    const serial = (await getCertificate(cluster, 'orders-app')).status?.serialNumber
    // As a restore leaves them: of a profile that is not there, without an owner.
    await cluster.delete(databaseTLSProfiles, { namespace, name: 'orders' }, { propagationPolicy: 'Orphan' })
    await quiet(operator)
    expect((await getCertificate(cluster, 'orders-app')).metadata.ownerReferences ?? []).toEqual([])
    await put(cluster, profile({ clients: [{ name: 'app' }] }))
    const { metadata, status } = await profileReady(cluster)
    expect(status?.certificates?.find(({ name }) => name === 'orders-app')?.serialNumber).toBe(serial)
    for (const one of [await getCertificate(cluster, 'orders-app'), await getConfigMap(cluster)])
      expect(one.metadata.ownerReferences?.map(({ uid }) => uid)).toEqual([metadata.uid])
  })

  it('of a profile that went before are left to the garbage collector', async () => {
    const { cluster } = await withAuthority()
    const made = certificate({}, 'orders-server')
    const owner = {
      apiVersion: 'dbtls.dev/v1alpha1',
      kind: 'DatabaseTLSProfile',
      name: 'orders',
      uid: '00000000-0000-0000-0000-000000000000',
      controller: true,
    }
    const held = { ...made.metadata, ownerReferences: [owner], finalizers: ['example.com/hold'] }
    await put(cluster, { ...made, metadata: held })
    await put(cluster, profile())
    expect((await profileSays(cluster, 'Deleting')).message).toContain('is being deleted; it is made again')
    await put(cluster, { ...made, metadata: { ...made.metadata, ownerReferences: [owner] } })
    await profileReady(cluster)
  })
})
