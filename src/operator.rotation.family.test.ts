import { describe, expect, it } from 'vitest'
import {
  allVerify,
  ask,
  counted,
  delivered,
  fingerprintOf,
  inPhase,
  noSoak,
  rotated,
  rotationOf,
  serialOf,
  verifies,
} from './operator.rotation.fixture.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { databaseCertificates, type DatabaseCertificate } from './resources/database-certificate.ts'
import { isReady } from './resources/conditions.ts'
import {
  authority,
  authorityReady,
  certificate,
  fresh,
  getAuthority,
  getConfigMap,
  getSecret,
  intermediate,
  leafOf,
  person,
  profile,
  profileReady,
  put,
  quiet,
  ready,
  text,
  until,
  writesOfRest,
} from './testing.ts'

const files = [
  { key: 'tls.crt', content: 'CertificateChain' },
  { key: 'tls.key', content: 'PrivateKey' },
]
const countOf = (pem: string): number => certificatesOf(pem).length

/** A root, a CA under it, and a certificate of each. */
const twoLevels = async () => {
  const written: string[] = []
  const running = await fresh((cluster) => counted(cluster, written))
  const { cluster, operator } = running
  await put(cluster, authority({ maxPathLength: 1, rotation: noSoak }, 'root'))
  await put(cluster, intermediate({ rotation: noSoak }))
  await authorityReady(cluster)
  await put(cluster, certificate({}, 'below'))
  await put(cluster, certificate({ authorityRef: { name: 'root' } }, 'beside'))
  await ready(cluster, 'below')
  await ready(cluster, 'beside')
  await quiet(operator)
  written.length = 0
  return Object.assign(running, { written })
}

describe('an intermediate', () => {
  it('is replaced under its living root, and the trust of nobody changes', async () => {
    const running = await twoLevels()
    const { cluster, clock, operator, written } = running
    const [first, root, serial] = [
      await fingerprintOf(cluster),
      await fingerprintOf(cluster, 'root'),
      await serialOf(cluster, 'below'),
    ]
    const old = await delivered(cluster, 'below')
    await ask(cluster, { trigger: 'one', holdAt: 'Signing' })
    await inPhase(cluster, 'Signing')
    await until('another certificate', async () => (await serialOf(cluster, 'below')) !== serial)
    const moved = await delivered(cluster, 'below')
    expect(moved.bundle).toBe(old.bundle)
    allVerify([old, moved], clock.now())
    await ask(cluster, { holdAt: '' })
    const after = await rotated(cluster, 'one')
    await quiet(operator)
    expect(after.status?.certificate?.fingerprint).not.toBe(first)
    expect(await fingerprintOf(cluster, 'root')).toBe(root)
    // Neither TrustBoth nor Dropped changes anything that is delivered.
    expect(written.filter((name) => name === 'below-tls')).toHaveLength(1)
    expect(written).not.toContain('beside-tls')
    expect(await writesOfRest(running)).toEqual([])
  })
})

describe('a root', () => {
  it('carries the CAs below it and their certificates', async () => {
    const running = await twoLevels()
    const { cluster, clock, operator, written } = running
    const old = await delivered(cluster, 'below')
    const serial = await serialOf(cluster, 'below')
    const key = (await getAuthority(cluster)).status?.certificate?.publicKeyHash
    await ask(cluster, { trigger: 'one', holdAt: 'TrustBoth' }, 'root')
    await inPhase(cluster, 'TrustBoth', 'root')
    await until('both roots below', async () => countOf((await delivered(cluster, 'below')).bundle) === 2)
    const both = await delivered(cluster, 'below')
    await ask(cluster, { holdAt: 'Signing' }, 'root')
    await inPhase(cluster, 'Signing', 'root')
    await until('the CA below to be signed again', async () => (await delivered(cluster, 'below')).chain !== old.chain)
    const moved = await delivered(cluster, 'below')
    allVerify([both, moved, await delivered(cluster, 'beside')], clock.now())
    await ask(cluster, { holdAt: '' }, 'root')
    await rotated(cluster, 'one', 'root')
    await quiet(operator)
    const after = await delivered(cluster, 'below')
    expect(countOf(after.bundle)).toBe(1)
    expect(verifies(after, after, clock.now())).toBe(true)
    expect(verifies(old, after, clock.now())).toBe(false)
    // Of the CA below nothing but its certificate has changed: its own are as they were.
    expect(await serialOf(cluster, 'below')).toBe(serial)
    expect((await getAuthority(cluster)).status?.certificate?.publicKeyHash).toBe(key)
    for (const name of ['below-tls', 'beside-tls']) expect(written.filter((one) => one === name)).toHaveLength(3)
    expect(await writesOfRest(running)).toEqual([])
  })

  it('waits for certificates below in other namespaces', async () => {
    const { cluster } = await fresh()
    await put(cluster, authority({ maxPathLength: 1, rotation: noSoak }, 'root'))
    await put(cluster, intermediate({ rotation: noSoak, allowedNamespaces: { from: 'All' } }))
    await authorityReady(cluster)
    const away = certificate(
      { authorityRef: { name: 'ca', namespace: 'data' } },
      'away',
    ) as unknown as DatabaseCertificate
    const elsewhere = { ...away, metadata: { name: 'away', namespace: 'elsewhere' } }
    await cluster.apply(databaseCertificates, elsewhere, person)
    const at = () => cluster.get(databaseCertificates, { namespace: 'elsewhere', name: 'away' })
    await until('it', async () => isReady(await at()))
    // It cannot be written any more: its password is not there.
    const stuck = {
      ...elsewhere,
      spec: {
        ...elsewhere.spec,
        secret: { ...elsewhere.spec.secret, items: [...files, { key: 'k', content: 'PKCS12Keystore' }] },
        keystore: { passwordSecretRef: { name: 'gone' } },
      },
    }
    await cluster.apply(databaseCertificates, stuck as unknown as DatabaseCertificate, person)
    await until('it to stall', async () => !isReady(await at()))
    await ask(cluster, { trigger: 'one' }, 'root')
    await inPhase(cluster, 'TrustBoth', 'root')
    await until('it to be named', async () =>
      (await rotationOf(cluster, 'root')).message?.includes(
        'DatabaseCertificate elsewhere/away (PasswordSecretNotFound:',
      ),
    )
    await cluster.delete(databaseCertificates, { namespace: 'elsewhere', name: 'away' })
    await rotated(cluster, 'one', 'root')
  })

  it('and a CA below it do not rotate at the same time', async () => {
    const { cluster } = await twoLevels()
    await ask(cluster, { trigger: 'one', holdAt: 'TrustBoth' }, 'root')
    await inPhase(cluster, 'TrustBoth', 'root')
    await ask(cluster, { trigger: 'one' })
    await until('it to say why', async () =>
      (await rotationOf(cluster)).message?.includes('CertificateAuthority data/root is rotating'),
    )
    await ask(cluster, { holdAt: '' }, 'root')
    await rotated(cluster, 'one', 'root')
    await rotated(cluster, 'one')
  })
})

describe('two CAs of one profile', () => {
  it('each rotate with their own consumers', async () => {
    const running = await fresh()
    const { cluster, operator } = running
    await put(cluster, authority({ rotation: noSoak }))
    await put(cluster, authority({ rotation: noSoak }, 'clients'))
    const spec = { clientAuthorityRef: { name: 'clients' }, clients: [{ name: 'app' }] }
    await put(cluster, profile(spec))
    await profileReady(cluster)
    const trustIn = async (name: string): Promise<number> =>
      countOf((await getConfigMap(cluster, name)).data?.['ca.crt'] ?? '')
    const [server, client] = [
      leafOf(await getSecret(cluster, 'orders-server-tls')).serialNumber,
      leafOf(await getSecret(cluster, 'orders-app-tls')).serialNumber,
    ]
    await ask(cluster, { trigger: 'one', holdAt: 'TrustBoth' }, 'clients')
    await inPhase(cluster, 'TrustBoth', 'clients')
    await until('both for the servers', async () => (await trustIn('orders-client-ca')) === 2)
    expect(await trustIn('orders-server-ca')).toBe(1)
    await ask(cluster, { holdAt: '' }, 'clients')
    await rotated(cluster, 'one', 'clients')
    await until('one for the servers', async () => (await trustIn('orders-client-ca')) === 1)
    expect(leafOf(await getSecret(cluster, 'orders-server-tls')).serialNumber).toBe(server)
    expect(leafOf(await getSecret(cluster, 'orders-app-tls')).serialNumber).not.toBe(client)
    await ask(cluster, { trigger: 'one' })
    await rotated(cluster, 'one')
    await profileReady(cluster)
    await quiet(operator)
    expect(leafOf(await getSecret(cluster, 'orders-server-tls')).serialNumber).not.toBe(server)
    const { data } = await getConfigMap(cluster, 'orders-server-ca')
    expect(data?.['ca.crt']).toBe(text(await getSecret(cluster, 'ca-ca'), 'ca.crt'))
    expect(await writesOfRest(running)).toEqual([])
  })
})
