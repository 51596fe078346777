import { createPrivateKey, webcrypto } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ApiError } from './cluster/errors.ts'
import type { Cluster, KubeObject } from './cluster/port.ts'
import { withVerbs } from './faults.fixture.ts'
import { ascii, contextPrimitive, sequence } from './pki/encoding/der.ts'
import { decodePrivateKey, generateKeyPair, type KeyPair, spkiOf } from './pki/keys/keys.ts'
import { distinguishedName } from './pki/names/names.ts'
import { encodePem } from './pki/encoding/pem.ts'
import { extension, makeRequest, type RequestChanges } from './pki/requests/request.fixture.ts'
import { isReady } from './resources/conditions.ts'
import { configMaps, secrets, type ConfigMap, type Secret } from './resources/core.ts'
import { databaseCertificates } from './resources/database-certificate.ts'
import { begin, take } from './rotating.fixture.ts'
import {
  anotherCertificate,
  authority,
  authorityReady,
  certificate,
  configMapOf,
  day,
  entriesOf,
  entryOf,
  fresh,
  getCertificate,
  getSecret,
  intermediate,
  issuedOnce,
  leafOf,
  messageOf,
  namespace,
  pass,
  person,
  put,
  quiet,
  ready,
  revoke,
  secretOf,
  stalled,
  start,
  text,
  until,
  withAuthority,
  writesAtRest,
} from './testing.ts'

const newKey = (): Promise<KeyPair> => generateKeyPair(webcrypto, { algorithm: 'ECDSA', size: 256 })
const san = (...names: string[]): Uint8Array =>
  extension('2.5.29.17', sequence(...names.map((name) => contextPrimitive(2, ascii(name)))))
const subject = distinguishedName({ commonName: 'payments', organizations: ['Acme'] })
const requestFor = (key: KeyPair, changes: RequestChanges = { subject, extensions: [san('payments.data.svc')] }) =>
  encodePem('CERTIFICATE REQUEST', makeRequest(key, changes))

const asSecret = (csr: string): Secret => secretOf('payments-csr', { 'tls.csr': csr }, { type: 'Opaque' })
const asConfigMap = (csr: string): ConfigMap => configMapOf('payments-csr', { 'tls.csr': csr })

/** Nothing but the request names it. */
const asking = (request: object, spec: object = {}, name = 'payments'): KubeObject =>
  certificate({ dnsNames: undefined, request, ...spec }, name)

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const keyInUse = async (cluster: Cluster): Promise<string> => hex(leafOf(await getSecret(cluster, 'payments-tls')).spki)

describe('a request made elsewhere', () => {
  it('is signed as it asks, with the lifetime of the spec, kept in the ledger, and leaves no key in the Secret', async () => {
    const { cluster } = await withAuthority()
    const key = await newKey()
    const csr = requestFor(key)
    await put(cluster, asking({ inline: `a text before it\n${csr}` }, { duration: '10d' }))
    await ready(cluster, 'payments')
    const secret = await getSecret(cluster, 'payments-tls')
    expect(secret.type).toBe('Opaque')
    expect(Object.keys(secret.data ?? {}).toSorted()).toEqual(['ca.crt', 'tls.crt'])
    const leaf = leafOf(secret)
    expect([leaf.subject, leaf.spki].map(hex)).toEqual([subject, key.spki].map(hex))
    expect(leaf).toMatchObject({
      extendedKeyUsage: ['serverAuth'],
      subjectAlternativeNames: [{ type: 'DNS', value: 'payments.data.svc' }],
    })
    expect(leaf.notAfter - leaf.notBefore).toBe(10 * day)
    const [entry] = await entriesOf(cluster, 'payments')
    expect(entry?.spec.request?.trim()).toBe(csr.trim())
    expect(await messageOf(cluster, 'payments')).toMatch(/\S$/)
  })

  it('is signed again at each renewal, for the same key', async () => {
    const { cluster, clock, operator, writes } = await withAuthority()
    const key = await newKey()
    await put(cluster, asking({ inline: requestFor(key) }, { duration: '90d' }))
    const first = await ready(cluster, 'payments')
    await quiet(operator)
    expect(await writesAtRest({ clock, operator, writes })).toEqual([])
    await pass(clock, 61 * day)
    const second = await anotherCertificate(cluster, first.status?.serialNumber, 'payments')
    expect(second.status?.revision).toBe(2)
    expect(await keyInUse(cluster)).toBe(hex(key.spki))
    const entries = await entriesOf(cluster, 'payments')
    expect(entries).toHaveLength(2)
    expect(entries.every(({ spec }) => spec.request !== undefined)).toBe(true)
  })

  it.each([
    { role: 'Client', has: ['clientAuth'] },
    { role: 'Peer', has: ['serverAuth', 'clientAuth'] },
  ])('has the usages of the role $role', async ({ role, has }) => {
    const { cluster } = await withAuthority()
    await put(cluster, asking({ inline: requestFor(await newKey()) }, { role }))
    await ready(cluster, 'payments')
    expect(leafOf(await getSecret(cluster, 'payments-tls')).extendedKeyUsage).toEqual(has)
  })

  const refused: { name: string; request: (key: KeyPair) => string; spec?: object; reason?: string; says: string }[] = [
    { name: 'no request at all', request: () => 'none', says: 'holds no PEM certificate request' },
    {
      name: 'a signature of another key',
      request: (key) =>
        requestFor(key, { subject, signature: (bytes) => bytes.map((byte, i) => (i > 8 ? byte ^ 1 : byte)) }),
      says: 'does not verify with its own key',
    },
    {
      name: 'CA:TRUE',
      request: (key) =>
        requestFor(key, { subject, extensions: [extension('2.5.29.19', sequence(Uint8Array.of(1, 1, 0xff)), true)] }),
      says: 'asks for a CA certificate',
    },
    {
      name: 'a name that the spec does not list',
      request: (key) => requestFor(key, { subject, extensions: [san('payments.data.svc', 'admin.data.svc')] }),
      spec: { dnsNames: ['payments.data.svc'] },
      says: 'asks for "admin.data.svc", which spec.dnsNames does not list',
    },
    {
      name: 'another subject than the spec says',
      request: (key) => requestFor(key),
      spec: { subject: { commonName: 'orders', organizations: ['Acme'] } },
      says: 'spec.subject says',
    },
    {
      name: 'usages that its key cannot have',
      request: (key) => requestFor(key),
      spec: { usages: ['keyEncipherment'] },
      says: 'does not go with a key of ECDSA',
    },
  ]
  it.each(refused)('is refused in words: $name', async ({ request, spec, says }) => {
    const { cluster } = await withAuthority()
    await put(cluster, asking({ inline: request(await newKey()) }, spec))
    const { reason, message } = await stalled(cluster, 'payments')
    expect(reason).toBe('RequestInvalid')
    expect(message).toContain(says)
    expect(await entriesOf(cluster, 'payments')).toEqual([])
  })

  it('may ask for less than the spec lists, in another order', async () => {
    const { cluster } = await withAuthority()
    const spec = {
      dnsNames: ['b.data.svc', 'payments.data.svc'],
      subject: { organizations: ['Acme'], commonName: 'payments' },
    }
    await put(cluster, asking({ inline: requestFor(await newKey()) }, spec))
    await ready(cluster, 'payments')
    expect(leafOf(await getSecret(cluster, 'payments-tls')).subjectAlternativeNames).toEqual([
      { type: 'DNS', value: 'payments.data.svc' },
    ])
  })

  it('is held to the policy of the CA', async () => {
    const { cluster } = await withAuthority({ policy: { allowedDNSNames: ['*.other.svc'] } })
    await put(cluster, asking({ inline: requestFor(await newKey()) }))
    const { reason, message } = await stalled(cluster, 'payments')
    expect(reason).toBe('PolicyViolation')
    expect(message).toContain('payments.data.svc')
  })

  it('signed, replaced by one for another key, gets another certificate', async () => {
    const { cluster } = await withAuthority()
    await put(cluster, asking({ inline: requestFor(await newKey()) }))
    const first = await ready(cluster, 'payments')
    const key = await newKey()
    await put(cluster, asking({ inline: requestFor(key) }))
    await anotherCertificate(cluster, first.status?.serialNumber, 'payments')
    expect(await keyInUse(cluster)).toBe(hex(key.spki))
  })
})

describe('a request in another object', () => {
  const kinds = [
    { kind: 'Secret', ref: 'secretRef', resource: secrets, make: asSecret },
    { kind: 'ConfigMap', ref: 'configMapRef', resource: configMaps, make: asConfigMap },
  ] as const
  const apply = (cluster: Cluster, kind: (typeof kinds)[number], csr: string): Promise<unknown> =>
    cluster.apply<KubeObject>(kind.resource, kind.make(csr), person)

  it.each(kinds)('of kind $kind is waited for, and followed when it changes', async (kind) => {
    const { cluster, operator } = await withAuthority()
    await put(cluster, asking({ [kind.ref]: { name: 'payments-csr' } }))
    const { reason, message } = await stalled(cluster, 'payments')
    expect(reason).toBe('RequestNotFound')
    expect(message).toContain(`${kind.kind} "payments-csr" of spec.request.${kind.ref} does not exist`)
    await apply(cluster, kind, requestFor(await newKey()))
    const first = await ready(cluster, 'payments')
    await quiet(operator)
    const key = await newKey()
    await apply(cluster, kind, requestFor(key))
    await anotherCertificate(cluster, first.status?.serialNumber, 'payments')
    expect(await keyInUse(cluster)).toBe(hex(key.spki))
  })

  it.each(kinds)('of kind $kind that is gone is signed again from the ledger, and says so', async (kind) => {
    const { cluster, clock, operator } = await withAuthority()
    const key = await newKey()
    await apply(cluster, kind, requestFor(key))
    await put(cluster, asking({ [kind.ref]: { name: 'payments-csr' } }, { duration: '90d' }))
    const first = await ready(cluster, 'payments')
    await quiet(operator)
    await cluster.delete(kind.resource, { namespace, name: 'payments-csr' })
    await until('the note', async () => (await messageOf(cluster, 'payments')).includes('kept in the ledger'))
    expect(isReady(await getCertificate(cluster, 'payments'))).toBe(true)
    expect((await getCertificate(cluster, 'payments')).status?.serialNumber).toBe(first.status?.serialNumber)
    await pass(clock, 61 * day)
    await anotherCertificate(cluster, first.status?.serialNumber, 'payments')
    expect(await keyInUse(cluster)).toBe(hex(key.spki))
  })

  it.each(kinds)('of kind $kind that is changed to nonsense costs no certificate', async (kind) => {
    const { cluster, operator } = await withAuthority()
    await apply(cluster, kind, requestFor(await newKey()))
    await put(cluster, asking({ [kind.ref]: { name: 'payments-csr' } }))
    await ready(cluster, 'payments')
    await quiet(operator)
    const before = (await getSecret(cluster, 'payments-tls')).data
    await apply(cluster, kind, 'nonsense')
    expect((await stalled(cluster, 'payments')).reason).toBe('RequestInvalid')
    expect((await getSecret(cluster, 'payments-tls')).data).toEqual(before)
  })

  it('costs nothing at rest, nor after a restart, and a change beside the request writes nothing', async () => {
    const { cluster, clock, operator, stop, writes } = await withAuthority()
    const csr = requestFor(await newKey())
    await cluster.apply(configMaps, asConfigMap(csr), person)
    await put(cluster, asking({ configMapRef: { name: 'payments-csr' } }))
    await ready(cluster, 'payments')
    await quiet(operator)
    const rest = writes.length
    await cluster.apply(configMaps, { ...asConfigMap(csr), data: { 'tls.csr': csr, note: 'theirs' } }, person)
    await quiet(operator)
    await clock.advance(13 * 3_600_000)
    await quiet(operator)
    expect(writes.length).toBe(rest)
    await stop()
    const second = await start(cluster, clock)
    await quiet(second.operator)
    expect(second.writes).toEqual([])
  })
})

describe('the key of a request', () => {
  it('belongs to one object alone', async () => {
    const { cluster } = await withAuthority()
    const csr = requestFor(await newKey())
    await put(cluster, asking({ inline: csr }))
    await ready(cluster, 'payments')
    await put(cluster, asking({ inline: csr }, {}, 'copy'))
    const { reason, message } = await stalled(cluster, 'copy')
    expect(reason).toBe('KeyInUse')
    expect(message).toContain('DatabaseCertificate data/payments')
    expect(isReady(await getCertificate(cluster, 'payments'))).toBe(true)
    await cluster.delete(databaseCertificates, { namespace, name: 'payments' })
    await put(cluster, asking({ inline: csr }, { renewTrigger: '1' }, 'copy'))
    await ready(cluster, 'copy')
  })

  it('belongs to one object alone when two come at once', async () => {
    const { cluster } = await withAuthority()
    const csr = requestFor(await newKey())
    const names = ['a', 'b', 'c']
    await Promise.all(names.map((name) => put(cluster, asking({ inline: csr }, {}, name))))
    const states = await until('all to be told', async () => {
      const all = await Promise.all(names.map((name) => getCertificate(cluster, name)))
      const reasons = all.map(({ status }) => status?.conditions?.find(({ type }) => type === 'Ready')?.reason)
      return reasons.every((reason) => reason === 'Issued' || reason === 'KeyInUse') && reasons
    })
    expect(states.toSorted()).toEqual(['Issued', 'KeyInUse', 'KeyInUse'])
  })

  it.each([
    { whose: 'the next CA', steps: ['prepare'] as const, key: 'next.key' },
    { whose: 'the former CA', steps: ['prepare', 'publish', 'switch', 'drop'] as const, key: 'former.key' },
  ])('is not that of $whose', async ({ steps, key }) => {
    const process = await begin(authority())
    await take(process, ...steps)
    const pem = text(await getSecret(process.cluster, 'ca-ca'), key)
    const pkcs8 = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' })
    const pair: KeyPair = { algorithm: { algorithm: 'ECDSA', size: 256 }, pkcs8, spki: spkiOf(pkcs8) }
    await put(process.cluster, asking({ inline: requestFor(pair) }))
    await process.settle()
    const { reason, message } = await stalled(process.cluster, 'payments')
    expect(reason).toBe('KeyInUse')
    expect(message).toContain('CertificateAuthority data/ca')
    expect(await entriesOf(process.cluster, 'payments')).toEqual([])
  })

  it.each([
    { whose: 'the CA', name: 'ca', says: 'CertificateAuthority data/ca' },
    { whose: 'the CA above', name: 'root', says: 'that of a CA;' },
  ])('is not that of $whose', async ({ name, says }) => {
    const { cluster } = await fresh()
    await put(cluster, authority({ maxPathLength: 1 }, 'root'))
    await put(cluster, intermediate())
    await authorityReady(cluster)
    const pem = text(await getSecret(cluster, `${name}-ca`), 'tls.key')
    const pkcs8 = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' })
    const key: KeyPair = { algorithm: { algorithm: 'ECDSA', size: 256 }, pkcs8, spki: spkiOf(pkcs8) }
    await put(cluster, asking({ inline: requestFor(key) }))
    const { reason, message } = await stalled(cluster, 'payments')
    expect(reason).toBe('KeyInUse')
    expect(message).toContain(says)
    expect(await entriesOf(cluster, 'payments')).toEqual([])
  })

  it('is not that of a certificate whose key was made here', async () => {
    const { cluster } = await issuedOnce()
    const pkcs8 = decodePrivateKey(text(await getSecret(cluster), 'tls.key'))
    const key: KeyPair = { algorithm: { algorithm: 'ECDSA', size: 256 }, pkcs8, spki: spkiOf(pkcs8) }
    await put(cluster, asking({ inline: requestFor(key) }))
    const { message } = await stalled(cluster, 'payments')
    expect(message).toContain('DatabaseCertificate data/orders')
  })
})

describe('a revoked certificate in use', () => {
  it.each([
    { reason: 'keyCompromise', keepsKey: false },
    { reason: 'cessationOfOperation', keepsKey: true },
  ])('is replaced at once: $reason', async ({ reason, keepsKey }) => {
    const { cluster, serial, anotherSerial, operator } = await issuedOnce({ privateKey: { rotation: 'Never' } })
    const key = text(await getSecret(cluster), 'tls.key')
    await revoke(cluster, serial, { reason })
    const { status } = await anotherSerial()
    await quiet(operator)
    expect(text(await getSecret(cluster), 'tls.key') === key).toBe(keepsKey)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(status?.serialNumber)
    const entries = await entriesOf(cluster, 'orders')
    expect(entries).toHaveLength(2)
    expect(entries.find(({ spec }) => spec.serialNumber !== serial)?.spec.supersedes?.serialNumber).toBe(serial)
  })

  it('is not replaced while it is on hold, and used again afterwards', async () => {
    const { cluster, serial, operator } = await issuedOnce()
    await revoke(cluster, serial, { reason: 'certificateHold' })
    const { reason, message } = await stalled(cluster)
    expect(reason).toBe('OnHold')
    expect(message).toContain(`Certificate ${serial} is on hold`)
    await revoke(cluster, serial, undefined)
    await ready(cluster)
    await quiet(operator)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
    expect(await entriesOf(cluster, 'orders')).toHaveLength(1)
  })

  it('of a request is not signed again for a key that others know', async () => {
    const { cluster } = await withAuthority()
    const csr = requestFor(await newKey())
    await put(cluster, asking({ inline: csr }))
    const { status } = await ready(cluster, 'payments')
    await revoke(cluster, status?.serialNumber, { reason: 'keyCompromise' })
    expect((await stalled(cluster, 'payments')).reason).toBe('KeyInUse')
    expect(await entriesOf(cluster, 'payments')).toHaveLength(1)
    await put(cluster, asking({ inline: requestFor(await newKey()) }))
    await anotherCertificate(cluster, status?.serialNumber, 'payments')
  })

  it.each(['payments', 'another'])('of a request is not signed again for such a key under a new %s', async (name) => {
    const { cluster, operator } = await withAuthority()
    const csr = requestFor(await newKey())
    await put(cluster, asking({ inline: csr }))
    const { status } = await ready(cluster, 'payments')
    await revoke(cluster, status?.serialNumber, { reason: 'keyCompromise' })
    await stalled(cluster, 'payments')
    await cluster.delete(databaseCertificates, { namespace, name: 'payments' })
    await quiet(operator)
    await put(cluster, asking({ inline: csr }, {}, name))
    const { reason, message } = await stalled(cluster, name)
    expect(reason).toBe('KeyInUse')
    expect(message).toContain('keyCompromise')
    expect(await entriesOf(cluster)).toHaveLength(2)
    await put(cluster, asking({ inline: requestFor(await newKey()) }, {}, name))
    await ready(cluster, name)
  })

  it('is replaced with a new key where an earlier one of its key was revoked as keyCompromise', async () => {
    const keeping = (renewTrigger: string) => certificate({ privateKey: { rotation: 'Never' }, renewTrigger })
    const { cluster, serial, anotherSerial, operator } = await issuedOnce({ privateKey: { rotation: 'Never' } })
    const key = text(await getSecret(cluster), 'tls.key')
    await put(cluster, keeping('1'))
    const second = await anotherSerial()
    expect(text(await getSecret(cluster), 'tls.key')).toBe(key)
    await revoke(cluster, serial, { reason: 'keyCompromise' })
    await quiet(operator)
    await put(cluster, keeping('2'))
    await anotherCertificate(cluster, second.status?.serialNumber)
    expect(text(await getSecret(cluster), 'tls.key')).not.toBe(key)
  })

  it.each(['payments', 'orders'])(
    'is not signed for such a key by another CA of the namespace either (%s)',
    async (name) => {
      const { cluster, clock, stop } = await withAuthority()
      await put(cluster, authority({}, 'cb'))
      await authorityReady(cluster, 'cb')
      const csr = requestFor(await newKey())
      const asks = (authorityRef: object) =>
        name === 'payments'
          ? asking({ inline: csr }, { authorityRef })
          : certificate({ privateKey: { rotation: 'Never' }, authorityRef })
      await put(cluster, asks({ name: 'ca' }))
      const { status } = await ready(cluster, name)
      const key = text(await getSecret(cluster, `${name}-tls`), 'tls.key')
      await stop()
      await revoke(cluster, status?.serialNumber, { reason: 'keyCompromise' })
      await put(cluster, asks({ name: 'cb' }))
      await start(cluster, clock)
      if (name === 'payments') {
        await until('the refusal', async () => (await messageOf(cluster, name)).includes('keyCompromise'))
        expect((await entriesOf(cluster, name)).filter(({ spec }) => spec.authorityRef.name === 'cb')).toEqual([])
        return
      }
      await until('one of the other CA', async () => {
        const { serialNumber } = (await getCertificate(cluster, name)).status ?? {}
        return (await entryOf(cluster, serialNumber)).spec.authorityRef.name === 'cb'
      })
      expect(text(await getSecret(cluster, `${name}-tls`), 'tls.key')).not.toBe(key)
    },
  )

  it('is not replaced with what was signed for its key before, and could not be delivered', async () => {
    let refuses = false
    const { cluster, operator } = await withAuthority({}, (target) =>
      withVerbs(target, {
        apply: (resource, object, options) =>
          refuses && object.kind === 'Secret'
            ? Promise.reject(new ApiError({ status: 403, reason: 'Forbidden', message: 'not now' }))
            : target.apply(resource, object, options),
      }),
    )
    const keeping = (more: object = {}) => certificate({ privateKey: { rotation: 'Never' }, ...more })
    await put(cluster, keeping())
    const first = await ready(cluster)
    await quiet(operator)
    const key = text(await getSecret(cluster), 'tls.key')
    refuses = true
    await put(cluster, keeping({ renewTrigger: '1' }))
    await until('a second entry', async () => (await entriesOf(cluster, 'orders')).length === 2)
    await revoke(cluster, first.status?.serialNumber, { reason: 'keyCompromise' })
    await until('the mark', async () => {
      const entries = await entriesOf(cluster, 'orders')
      return entries.some(({ status }) => status?.state === 'Revoked')
    })
    refuses = false
    await anotherCertificate(cluster, first.status?.serialNumber)
    expect(text(await getSecret(cluster), 'tls.key')).not.toBe(key)
  })
})

describe('the annotation dbtls.dev/renew-trigger', () => {
  const annotated = (value: string): KubeObject => {
    const object = certificate()
    return { ...object, metadata: { ...object.metadata, annotations: { 'dbtls.dev/renew-trigger': value } } }
  }
  it.each([{ value: '2026-11-21T10:00:00Z' }, { value: 'x'.repeat(5000) }])(
    'renews once for each text, without a change of the spec',
    async ({ value }) => {
      const { cluster, operator, anotherSerial, clock } = await issuedOnce()
      const { generation } = (await getCertificate(cluster)).metadata
      await put(cluster, annotated(value))
      const renewed = await anotherSerial()
      expect(renewed.metadata.generation).toBe(generation)
      await quiet(operator)
      await clock.advance(13 * 3_600_000)
      await quiet(operator)
      expect((await getCertificate(cluster)).status?.serialNumber).toBe(renewed.status?.serialNumber)
    },
  )
})
