/** What an independent reader of the contract once broke. */
import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import { certificateAuthorities, type CertificateAuthority } from './resources/certificate-authority.ts'
import { findCondition, isReady } from './resources/conditions.ts'
import { secrets, type Secret } from './resources/core.ts'
import { databaseCertificates } from './resources/database-certificate.ts'
import { withVerbs } from './faults.fixture.ts'
import {
  entriesOf,
  withAuthority,
  authority,
  authorityReady,
  certificate,
  fresh,
  getAuthority,
  getSecret,
  intermediate,
  issuedOnce,
  namespace,
  put,
  quiet,
  ready,
  secretOf,
  somebody,
  until,
} from './testing.ts'

const reasonOf = (what: string, look: () => Promise<CertificateAuthority>, reason: string) =>
  until(what, async () => findCondition((await look()).status?.conditions, 'Stalled')?.reason === reason)

describe('a Secret that was handed over', () => {
  it('outlives the certificate, with the keys that were in it before', async () => {
    const { cluster, operator } = await fresh()
    const theirs = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'Opaque',
      metadata: { name: 'db', namespace, annotations: { 'dbtls.dev/adopt': 'true' } },
      stringData: { password: 'theirs' },
    }
    await cluster.create(secrets, theirs, somebody)
    await put(cluster, authority())
    await put(cluster, certificate({ secret: { name: 'db', type: 'Opaque' } }))
    await ready(cluster)
    const adopted = await getSecret(cluster, 'db')
    expect(adopted.metadata.ownerReferences ?? []).toEqual([])
    await cluster.delete(databaseCertificates, { namespace, name: 'orders' })
    await quiet(operator)
    expect((await getSecret(cluster, 'db')).data?.['password']).toBe(adopted.data?.['password'])
  })
})

describe('the Secret of an authority', () => {
  it('is known by its key when a backup kept the data alone', async () => {
    const { cluster } = await issuedOnce()
    const { data, type } = await getSecret(cluster, 'ca-ca')
    const { status } = await getAuthority(cluster)
    await cluster.delete(secrets, { namespace, name: 'ca-ca' })
    await reasonOf('the loss to be told', () => getAuthority(cluster), 'AuthoritySecretMissing')
    await cluster.create(
      secrets,
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'ca-ca', namespace }, type, data } as Secret,
      somebody,
    )
    const found = await authorityReady(cluster)
    expect(found.status?.certificate?.fingerprint).toBe(status?.certificate?.fingerprint)
  })

  it('is never to be deleted, by our own advice, while an authority has a key to lose', async () => {
    const { cluster } = await issuedOnce()
    await cluster.delete(secrets, { namespace, name: 'ca-ca' })
    await reasonOf('the loss to be told', () => getAuthority(cluster), 'AuthoritySecretMissing')
    await cluster.create(secrets, secretOf('ca-ca', { a: 'b' }), somebody)
    await reasonOf('the stranger to be told', () => getAuthority(cluster), 'SecretInTheWay')
    const message = findCondition((await getAuthority(cluster)).status?.conditions, 'Ready')?.message ?? ''
    expect(message).not.toMatch(/delete/i)
    expect(message).toContain('Restore')
  })
})

describe('an authority open to other namespaces', () => {
  const child = {
    ...intermediate({}, 'theirs', { name: 'ca', namespace }),
    metadata: { name: 'theirs', namespace: 'tenant' },
  }
  const getChild = (cluster: Cluster) => cluster.get(certificateAuthorities, { namespace: 'tenant', name: 'theirs' })

  it('makes no authorities there unless its maxPathLength says so', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority({ allowedNamespaces: { from: 'All' } }))
    await put(cluster, child)
    await reasonOf('the child to be refused', () => getChild(cluster), 'AuthorityNotAllowed')
    await put(cluster, authority({ allowedNamespaces: { from: 'All' }, maxPathLength: 1 }))
    await until('the child', async () => isReady(await getChild(cluster)))
  })
})

describe('a burst of RSA certificates', () => {
  it('does not hold the workers that others need', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority())
    await authorityReady(cluster)
    const names = Array.from({ length: 12 }, (_, n) => `rsa-${n}`)
    for (const name of names) await put(cluster, certificate({ privateKey: { algorithm: 'RSA', size: 3072 } }, name))
    await put(cluster, certificate())
    await ready(cluster)
    const { items } = await cluster.list(databaseCertificates, { namespace })
    expect(items.filter((item) => !isReady(item)).length).toBeGreaterThan(6)
    for (const name of names) await ready(cluster, name)
  }, 60_000)

  it('makes the next keys while the Secrets of the first are being written', async () => {
    const written = Promise.withResolvers<void>()
    const { cluster } = await withAuthority({}, (inner) =>
      withVerbs(inner, {
        apply: async (resource, object, options) => {
          if (object.kind === 'Secret' && object.metadata.name.startsWith('rsa-')) await written.promise
          return inner.apply(resource, object, options)
        },
      }),
    )
    const names = Array.from({ length: 4 }, (_, n) => `rsa-${n}`)
    for (const name of names) await put(cluster, certificate({ privateKey: { algorithm: 'RSA' } }, name))
    await until('a key for each', async () => (await entriesOf(cluster)).length === names.length)
    written.resolve()
    for (const name of names) await ready(cluster, name)
  })
})
