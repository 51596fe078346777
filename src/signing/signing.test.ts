import { createPublicKey, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { AuthorityMaterial } from '../authority/keyring.ts'
import { trustHash } from '../authority/trust.ts'
import type { Informer } from '../cluster/cache/informer.ts'
import { ApiError } from '../cluster/errors.ts'
import type { KubeObject } from '../cluster/port.ts'
import { never, stubContext } from '../control/testing.ts'
import { entryOf } from '../ledger/testing.ts'
import { distinguishedName } from '../pki/names/names.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import { publicKeyHash } from '../pki/keys/keys.ts'
import { parseCertificate } from '../pki/certificates/parse.ts'
import { makeRequest, type RequestChanges } from '../pki/requests/request.fixture.ts'
import { generate, makeIntermediate, makeRoot, now } from '../pki/testing.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { certificateAuthoritySpec } from '../resources/certificate-authority.ts'
import type { IssuedCertificate } from '../resources/issued-certificate.ts'
import { silentLogger } from '../runtime/log.ts'
import { ManualClock } from '../runtime/manual-clock.ts'
import { type AuthoritySeen, decide } from './decide.ts'
import { authorityOfSigner, type CertificateSigningRequest, ownOnly } from './kind.ts'
import { SigningReconciler } from './reconcile.ts'
import { usagesOf } from './usages.ts'

const approved = { type: 'Approved', status: 'True', reason: 'x' }
const about = { signal: never, log: silentLogger(), reconcileId: '1' }

const requestOf = (bytes: Uint8Array, spec: object = {}, status: object = { conditions: [approved] }) =>
  ({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: 'orders', uid: 'u1', resourceVersion: '1' },
    spec: {
      request: Buffer.from(encodePem('CERTIFICATE REQUEST', bytes)).toString('base64'),
      signerName: 'dbtls.dev/data.orders-ca',
      usages: ['digital signature', 'key encipherment', 'server auth'],
      username: 'alice',
      ...spec,
    },
    status,
  }) satisfies CertificateSigningRequest

const world = async (
  options: {
    readonly spec?: object
    readonly request?: RequestChanges
    readonly csr?: object
    readonly status?: object
    readonly authority?: object | null
    readonly updateStatus?: (attempt: number) => void
    readonly ledger?: readonly object[]
  } = {},
) => {
  const clock = new ManualClock(now)
  const root = await makeRoot()
  const ca = await makeIntermediate(root, 'Orders CA')
  const own = parseCertificate(ca.certificate)
  const key = await generate()
  const updates: CertificateSigningRequest[] = []
  const entries: IssuedCertificate[] = []
  const steps: string[] = []
  let attempts = 0
  const stub = stubContext(
    {
      create: (_: unknown, entry: IssuedCertificate) => {
        entries.push(entry)
        steps.push('ledger')
        return Promise.resolve({
          ...entry,
          metadata: { ...entry.metadata, creationTimestamp: new Date(clock.now()).toISOString() },
        })
      },
      updateStatus: (_: unknown, object: CertificateSigningRequest) => {
        attempts += 1
        steps.push('status')
        options.updateStatus?.(attempts)
        updates.push(object)
        return Promise.resolve(object)
      },
    },
    clock,
  )
  const authority = {
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'CertificateAuthority',
    metadata: { name: 'orders-ca', namespace: 'data', uid: 'ca', generation: 1 },
    spec: certificateAuthoritySpec.parse({ source: { selfSigned: {} }, subject: { commonName: 'x' }, ...options.spec }),
    status: { conditions: [{ type: 'Ready', status: 'True', observedGeneration: 1 }] },
    ...options.authority,
  } as unknown as CertificateAuthority
  if (options.authority !== null) stub.stores.authorities.set('data/orders-ca', authority)
  for (const [at, entry] of (options.ledger ?? []).entries())
    stub.stores.ledger.set(String(at), {
      metadata: { name: String(at) },
      isCa: false,
      state: 'Valid',
      notBefore: 0,
      ...entry,
    } as unknown as KubeObject)
  const csr = requestOf(makeRequest(key, options.request), options.csr, options.status)
  const store = new Map<string, CertificateSigningRequest>([['orders', csr]])
  const requests = {
    store,
    wrote: (object: CertificateSigningRequest) => void store.set(object.metadata.name, object),
  } as unknown as Informer<CertificateSigningRequest>
  let material: AuthorityMaterial = {
    signer: ca.signer,
    certificate: own,
    chain: [ca.certificate],
    trust: [root.certificate],
    trustHash: trustHash([root.certificate]),
  }
  const reconciler = new SigningReconciler(stub.context, { load: () => Promise.resolve(material) }, requests)
  return {
    ...stub,
    clock,
    root,
    ca,
    key,
    csr,
    store,
    updates,
    entries,
    steps,
    authority,
    /** The CA has another certificate for its key. */
    renewAuthority: (certificate: Uint8Array) => {
      material = { ...material, certificate: parseCertificate(certificate), chain: [certificate] }
    },
    /** Another CA stands beside it. */
    rotate: (which: 'next' | 'former', certificate: Uint8Array) => {
      const beside = { ...material, certificate: parseCertificate(certificate) }
      material = { ...material, [which]: beside }
    },
    look: () => reconciler.reconcile('orders', about),
  }
}

const certificatesIn = (request: CertificateSigningRequest | undefined): X509Certificate[] => {
  const pem = Buffer.from(request?.status?.certificate ?? '', 'base64').toString()
  return pem
    .split(/(?<=-----END CERTIFICATE-----\n)/)
    .filter((block) => block !== '')
    .map((block) => new X509Certificate(block))
}
const failureOf = (request: CertificateSigningRequest | undefined) =>
  request?.status?.conditions?.find(({ type }) => type === 'Failed')

describe('the name of a signer', () => {
  it.each([
    { signer: 'dbtls.dev/data.orders-ca', authority: 'data/orders-ca' },
    { signer: 'dbtls.dev/data.orders.ca.v2', authority: 'data/orders.ca.v2' },
    { signer: 'dbtls.dev/data', authority: undefined },
    { signer: 'dbtls.dev/.ca', authority: undefined },
    { signer: 'dbtls.dev/data.', authority: undefined },
    { signer: 'kubernetes.io/kubelet-serving', authority: undefined },
    { signer: 'x.dbtls.dev/data.ca', authority: undefined },
  ])('$signer stands for $authority', ({ signer, authority }) => {
    expect(authorityOfSigner(signer)).toBe(authority)
  })

  it('of others leaves nothing of their requests in memory', () => {
    const theirs = requestOf(new Uint8Array(9000), { signerName: 'kubernetes.io/kubelet-serving' })
    expect(JSON.stringify(ownOnly(theirs)).length).toBeLessThan(300)
    const mine = requestOf(new Uint8Array(10))
    expect(ownOnly(mine)).toBe(mine)
  })
})

describe('usages', () => {
  it.each([
    {
      listed: ['digital signature', 'key encipherment', 'server auth'],
      algorithm: 'RSA',
      is: ['digitalSignature', 'keyEncipherment', 'serverAuth'],
    },
    {
      listed: ['digital signature', 'key encipherment', 'server auth'],
      algorithm: 'ECDSA',
      is: ['digitalSignature', 'serverAuth'],
    },
    {
      listed: ['signing', 'digital signature', 'client auth'],
      algorithm: 'Ed25519',
      is: ['digitalSignature', 'clientAuth'],
    },
    { listed: ['server auth', 'client auth'], algorithm: undefined, is: ['serverAuth', 'clientAuth'] },
  ] as const)('$listed of $algorithm', ({ listed, algorithm, is }) => {
    expect(usagesOf(listed, algorithm)).toEqual(is)
  })

  it.each([
    { listed: ['cert sign', 'server auth'], says: '"cert sign"' },
    { listed: ['crl sign', 'code signing', 'any'], says: '"crl sign", "code signing", "any"' },
    { listed: ['__proto__', 'server auth'], says: '"__proto__"' },
    { listed: ['digital signature'], says: '"server auth", "client auth" or both' },
    { listed: [], says: '"server auth", "client auth" or both' },
  ])('$listed are refused', ({ listed, says }) => {
    expect(usagesOf(listed, 'ECDSA')).toContain(says)
  })
})

describe('what a request needs', () => {
  const denied = { type: 'Denied', status: 'True' }
  const failed = { type: 'Failed', status: 'True' }
  it.each<{ name: string; status: object; authority: AuthoritySeen; act: string }>([
    { name: 'nothing before it is approved', status: {}, authority: 'ready', act: 'nothing' },
    {
      name: 'nothing where it is not approved after all',
      status: { conditions: [{ ...approved, status: 'False' }] },
      authority: 'ready',
      act: 'nothing',
    },
    { name: 'nothing when it was denied', status: { conditions: [denied] }, authority: 'ready', act: 'nothing' },
    {
      name: 'nothing when it was approved and denied',
      status: { conditions: [approved, denied] },
      authority: 'ready',
      act: 'nothing',
    },
    {
      name: 'nothing when it has failed',
      status: { conditions: [approved, failed] },
      authority: 'ready',
      act: 'nothing',
    },
    {
      name: 'nothing when it has its certificate',
      status: { conditions: [approved], certificate: 'x' },
      authority: 'ready',
      act: 'nothing',
    },
    { name: 'a signature when it is approved', status: { conditions: [approved] }, authority: 'ready', act: 'sign' },
    { name: 'to wait for its CA', status: { conditions: [approved] }, authority: 'absent', act: 'wait' },
    { name: 'to wait until its CA can sign', status: { conditions: [approved] }, authority: 'notReady', act: 'wait' },
    {
      name: 'a word where its CA never signs',
      status: { conditions: [approved] },
      authority: 'trustOnly',
      act: 'fail',
    },
  ])('$name', ({ status, authority, act }) => {
    expect(decide(requestOf(new Uint8Array(), {}, status), authority).act).toBe(act)
  })
})

describe('an approved request', () => {
  it('is signed with the chain, after it is in the ledger', async () => {
    const { look, steps, updates, entries, key, root, ca, events } = await world({ csr: { expirationSeconds: 3600 } })
    expect(await look()).toEqual({})
    expect(steps).toEqual(['ledger', 'status'])
    const [leaf, above] = certificatesIn(updates[0])
    expect(leaf?.publicKey.equals(createPublicKey({ key: Buffer.from(key.spki), format: 'der', type: 'spki' }))).toBe(
      true,
    )
    expect(leaf?.verify(new X509Certificate(ca.certificate).publicKey)).toBe(true)
    expect(above?.verify(new X509Certificate(root.certificate).publicKey)).toBe(true)
    expect(certificatesIn(updates[0])).toHaveLength(2)
    expect(leaf?.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
    expect(Date.parse(leaf?.validTo ?? '') - now).toBeLessThanOrEqual(3_600_000)
    expect(updates[0]?.status?.conditions).toEqual([approved])
    expect(entries[0]?.spec).toMatchObject({
      serialNumber: leaf?.serialNumber,
      authorityRef: { name: 'orders-ca', uid: 'ca' },
    })
    expect(entries[0]?.spec.request).toContain('-----BEGIN CERTIFICATE REQUEST-----')
    expect(entries[0]?.spec.certificateRef).toBeUndefined()
    const told = { type: 'Normal', reason: 'Issued', action: 'Sign', note: expect.stringContaining('of user "alice"') }
    expect(events).toEqual([expect.objectContaining(told)])
  })

  it('is answered once', async () => {
    const { look, steps } = await world()
    await look()
    await look()
    expect(steps).toEqual(['ledger', 'status'])
  })

  it('gets what was signed before when its status could not be written', async () => {
    const { look, steps, updates, entries } = await world({
      updateStatus: (attempt) => {
        if (attempt === 1) throw new ApiError({ status: 409, reason: 'Conflict', message: 'changed' })
        if (attempt === 2) throw new ApiError({ status: 503, reason: 'ServiceUnavailable', message: 'later' })
      },
    })
    await expect(look()).rejects.toMatchObject({ reason: 'Conflict' })
    await expect(look()).rejects.toMatchObject({ status: 503 })
    await look()
    expect(steps).toEqual(['ledger', 'status', 'status', 'status'])
    expect(certificatesIn(updates[0])[0]?.serialNumber).toBe(entries[0]?.spec.serialNumber)
  })

  const undelivered: {
    readonly name: string
    readonly change: (made: Awaited<ReturnType<typeof world>>, entry: IssuedCertificate) => Promise<void> | void
  }[] = [
    {
      name: 'it was revoked',
      change: ({ stores }, { metadata }) => {
        const revoked = { metadata, state: 'Revoked', revocation: { reason: 'superseded' } }
        stores.ledger.set(`data/${metadata.name}`, revoked as unknown as KubeObject)
      },
    },
    {
      name: 'the CA has another certificate',
      change: async ({ ca, renewAuthority }) => {
        renewAuthority((await makeRoot({ key: ca.key, commonName: 'Orders CA' })).certificate)
      },
    },
    {
      name: 'the policy of the CA allows it no more',
      change: ({ stores, authority }) => {
        const spec = { ...authority.spec, policy: { ...authority.spec.policy, maxDuration: '1h' } }
        stores.authorities.set('data/orders-ca', { ...authority, spec } as unknown as KubeObject)
      },
    },
    { name: 'it is due for renewal itself', change: ({ clock }) => clock.setNow(now + 80 * 86_400_000) },
  ]
  it.each(undelivered)('is signed anew where the status was refused, and meanwhile $name', async ({ change }) => {
    const made = await world({
      updateStatus: (attempt) => {
        if (attempt === 1) throw new ApiError({ status: 503, reason: 'ServiceUnavailable', message: 'later' })
      },
    })
    await expect(made.look()).rejects.toMatchObject({ status: 503 })
    const [first] = made.entries
    if (first === undefined) throw new Error('nothing was signed')
    await change(made, first)
    await made.look()
    const [, second] = made.entries
    expect(second?.spec.serialNumber).not.toBe(first.spec.serialNumber)
    expect(certificatesIn(made.updates[0])[0]?.serialNumber).toBe(second?.spec.serialNumber)
  })

  it('fails where the status was refused, and meanwhile its key is known to others', async () => {
    const { look, stores, key, updates, entries } = await world({
      updateStatus: (attempt) => {
        if (attempt === 1) throw new ApiError({ status: 503, reason: 'ServiceUnavailable', message: 'later' })
      },
    })
    await expect(look()).rejects.toMatchObject({ status: 503 })
    const revoked = entryOf('0A', { state: 'Revoked', compromisedKey: publicKeyHash(key.spki) })
    stores.ledger.set('data/orders-ca-0a', revoked)
    await look()
    expect(failureOf(updates[0])).toMatchObject({ reason: 'KeyInUse' })
    expect(entries).toHaveLength(1)
  })

  it('waits with what was signed before while the CA cannot sign', async () => {
    const { look, stores, authority, updates, entries } = await world({
      updateStatus: (attempt) => {
        if (attempt === 1) throw new ApiError({ status: 503, reason: 'ServiceUnavailable', message: 'later' })
      },
    })
    await expect(look()).rejects.toMatchObject({ status: 503 })
    stores.authorities.set('data/orders-ca', { ...authority, status: {} } as unknown as KubeObject)
    expect((await look()).requeueAfterMs).toBeGreaterThan(0)
    expect(updates).toEqual([])
    stores.authorities.set('data/orders-ca', authority)
    await look()
    expect(certificatesIn(updates[0])[0]?.serialNumber).toBe(entries[0]?.spec.serialNumber)
    expect(entries).toHaveLength(1)
  })

  it('fails when a certificate of its key was revoked as keyCompromise', async () => {
    const { look, stores, key, updates, entries } = await world()
    const revoked = entryOf('0A', { state: 'Revoked', compromisedKey: publicKeyHash(key.spki) })
    stores.ledger.set('data/orders-ca-0a', revoked)
    await look()
    expect(failureOf(updates[0])).toMatchObject({ reason: 'KeyInUse' })
    expect(failureOf(updates[0])?.message).toContain('keyCompromise')
    expect(entries).toEqual([])
  })

  it('gets a shorter life than it asks for where the policy says so', async () => {
    const { look, updates } = await world({
      spec: { policy: { maxDuration: '1h' } },
      csr: { expirationSeconds: 86_400 },
    })
    await look()
    expect(Date.parse(certificatesIn(updates[0])[0]?.validTo ?? '') - now).toBeLessThanOrEqual(3_600_000)
  })

  it.each([
    {
      name: 'a policy',
      spec: { policy: { allowedDNSNames: ['*.other.svc'] } },
      request: { subject: distinguishedName({ commonName: 'orders.data.svc' }) },
      reason: 'PolicyViolation',
      says: 'allowedDNSNames',
    },
    { name: 'usages', csr: { usages: ['cert sign', 'server auth'] }, reason: 'RequestInvalid', says: '"cert sign"' },
    {
      name: 'a forged proof of possession',
      request: { signature: (bytes: Uint8Array) => bytes.map((byte, at) => (at === 20 ? byte ^ 1 : byte)) },
      reason: 'RequestInvalid',
      says: 'signature',
    },
    {
      name: 'what is no request',
      csr: { request: Buffer.from('junk').toString('base64') },
      reason: 'RequestInvalid',
      says: 'request',
    },
    {
      name: 'a CA that is only trusted',
      authority: { spec: certificateAuthoritySpec.parse({ source: { trustOnly: { inline: 'x' } } }) },
      reason: 'AuthorityNotAllowed',
      says: 'signs nothing',
    },
  ])('fails for $name, and says why', async (row) => {
    const { reason, says } = row
    const { look, updates, entries } = await world(row)
    expect(await look()).toEqual({})
    expect(updates[0]?.status?.certificate).toBeUndefined()
    expect(updates[0]?.status?.conditions?.[0]).toEqual(approved)
    expect(failureOf(updates[0])).toMatchObject({ status: 'True', reason })
    expect(failureOf(updates[0])?.message).toContain(says)
    expect(entries).toEqual([])
    await look()
    expect(updates).toHaveLength(1)
  })

  it.each(['ca', 'root'] as const)('fails when it is for the key of the CA, or of the one above: %s', async (whose) => {
    const { look, store, csr, updates, [whose]: holder } = await world()
    const own = requestOf(makeRequest(holder.key))
    store.set('orders', { ...csr, spec: own.spec })
    await look()
    expect(failureOf(updates[0])?.message).toContain('the key of a CA')
  })

  it.each(['next', 'former'] as const)('fails when it is for the key of the %s CA', async (which) => {
    const { look, store, csr, updates, rotate } = await world()
    const other = await makeRoot()
    rotate(which, other.certificate)
    store.set('orders', { ...csr, spec: requestOf(makeRequest(other.key)).spec })
    await look()
    expect(failureOf(updates[0])?.message).toContain('the key of a CA')
  })

  it.each([
    { name: 'there is no CA', authority: null },
    { name: 'the CA cannot sign yet', authority: { status: {} } },
  ])('waits while $name', async (options) => {
    const { look, steps } = await world(options)
    expect((await look()).requeueAfterMs).toBeGreaterThan(0)
    expect(steps).toEqual([])
  })

  it('says what the API server has against its certificate', async () => {
    const { look, updates } = await world({
      updateStatus: (attempt) => {
        if (attempt === 1)
          throw new ApiError({ status: 422, reason: 'Invalid', message: 'status.certificate: Invalid value' })
      },
    })
    await look()
    expect(failureOf(updates[0])?.message).toContain('status.certificate: Invalid value')
  })

  const unique = { policy: { uniqueCommonName: true } }
  describe('for a name that the CA gives once', () => {
    const held = { holder: 'h', holderKey: 'data/orders', serialNumber: '02', createdAt: 2 }
    const metadata = { namespace: 'data', name: 'orders-ca-01' }
    const former = {
      ...held,
      metadata,
      isCa: false,
      notBefore: 0,
      serialNumber: '01',
      createdAt: 1,
      state: 'Superseded',
    }
    const holder = { uid: 'h', reports: '02', asks: 'orders-ca' }
    it.each([
      { name: 'that reports it', refused: true },
      { name: 'that reports it, whatever its mark', ledger: [{ ...held, state: 'Superseded' }], refused: true },
      { name: 'that was made anew and reports it', holder: { ...holder, uid: 'new' }, refused: true },
      { name: 'that may still get it', holder: { ...holder, reports: undefined }, refused: true },
      { name: 'that reports an older one and may still get it', holder: { ...holder, reports: '01' }, refused: true },
      { name: 'that had it', ledger: [former], refused: false },
      { name: 'that asks another CA by now', holder: { ...holder, asks: 'other' }, refused: false },
      { name: 'that is gone', holder: undefined, refused: false },
    ])('fails where it is that of a DatabaseCertificate $name: $refused', async (row) => {
      const { look, updates, stores } = await world({ spec: unique, ledger: row.ledger ?? [former, held] })
      stores.ledger.set('data/orders-ca-01', former as unknown as KubeObject)
      const found = 'holder' in row ? row.holder : holder
      if (found !== undefined)
        stores.certificates.set('data/orders', {
          metadata: { namespace: 'data', name: 'orders', uid: found.uid },
          spec: { authorityRef: { name: found.asks } },
          status: { serialNumber: found.reports },
        } as unknown as KubeObject)
      await look()
      expect(failureOf(updates[0])?.reason).toBe(row.refused ? 'PolicyViolation' : undefined)
    })
  })

  it('takes the place of what was signed for the name before where each is given once', async () => {
    const ledger = [
      { serialNumber: '01', createdAt: 1 },
      { serialNumber: '02', createdAt: 2 },
    ]
    const { look, entries } = await world({ spec: unique, ledger })
    await look()
    expect(entries[0]?.spec.supersedes).toEqual({ serialNumber: '02', namesakes: true })
  })
})
