import { describe, expect, it } from 'vitest'
import { algorithmOfSpki } from './pki/keys/keys.ts'
import { certificatesOf } from './pki/encoding/pem.ts'
import { parseCertificate } from './pki/certificates/parse.ts'
import { signatureVerifies } from './pki/certificates/parse.ts'
import { certificateAuthorities } from './resources/certificate-authority.ts'
import { isReady } from './resources/conditions.ts'
import {
  authority,
  authorityReady,
  certificate,
  day,
  emptyCluster,
  entriesOf,
  fresh,
  getAuthority,
  getCertificate,
  getSecret,
  intermediate,
  issuedOnce,
  leafOf,
  namespace,
  pass,
  put,
  quiet,
  ready,
  stalled,
  start,
  text,
  until,
} from './testing.ts'

describe('an issuance', () => {
  it('is three writes and one event, and then nothing more is written', async () => {
    const { cluster, clock, operator, writes, events } = await fresh()
    await put(cluster, authority())
    await authorityReady(cluster)
    await quiet(operator)
    const [before, told] = [writes.length, events.length]
    await put(cluster, certificate())
    await ready(cluster)
    await quiet(operator)
    expect(writes.slice(before)).toEqual([
      { verb: 'create', plural: 'issuedcertificates' },
      { verb: 'apply', plural: 'secrets' },
      { verb: 'updateStatus', plural: 'databasecertificates' },
    ])
    expect(events.slice(told).map(({ reason }) => reason)).toEqual(['Issued'])
    await clock.advance(13 * 3_600_000)
    await quiet(operator)
    expect(writes.length).toBe(before + 3)
  })

  it('works whatever order the manifests come in', async () => {
    const { cluster } = await fresh()
    await put(cluster, certificate())
    expect((await stalled(cluster)).reason).toBe('AuthorityNotFound')
    await put(cluster, authority())
    const { status } = await ready(cluster)
    expect(status?.serialNumber).toBe(leafOf(await getSecret(cluster)).serialNumber)
  })

  it('is not repeated by a restart', async () => {
    const { clock, cluster } = emptyCluster()
    const first = await start(cluster, clock)
    await put(cluster, authority())
    await put(cluster, certificate())
    await ready(cluster)
    await quiet(first.operator)
    await first.stop()
    const second = await start(cluster, clock)
    await quiet(second.operator)
    expect(second.writes).toEqual([])
  })
})

describe('a renewal', () => {
  it('happens by itself when a third of the life is left, and is on record with what it replaced', async () => {
    const { clock, cluster, operator, serial, anotherSerial } = await issuedOnce({ duration: '90d' })
    await pass(clock, 56 * day)
    await quiet(operator)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
    await pass(clock, 5 * day)
    const renewed = await anotherSerial()
    const items = await entriesOf(cluster)
    const entry = items.find(({ spec }) => spec.serialNumber === renewed.status?.serialNumber)
    expect(entry?.spec.supersedes?.serialNumber).toBe(serial)
    expect(renewed.status?.revision).toBe(2)
    await clock.advance(11 * 60_000)
    await until('the mark', async () => {
      const found = (await entriesOf(cluster)).find((one) => one.spec.serialNumber === serial)
      return found?.status?.state === 'Superseded' && found.metadata.labels?.['dbtls.dev/state'] === 'Superseded'
    })
  })

  it('follows a changed trigger at once', async () => {
    const { cluster, anotherSerial } = await issuedOnce()
    await put(cluster, certificate({ renewTrigger: '2026-11-21' }))
    await anotherSerial()
  })

  it('makes a new key', async () => {
    const { cluster, anotherSerial } = await issuedOnce()
    const key = text(await getSecret(cluster), 'tls.key')
    await put(cluster, certificate({ renewTrigger: '1' }))
    await anotherSerial()
    expect(text(await getSecret(cluster), 'tls.key')).not.toBe(key)
  })

  it('keeps the key where the spec says Never', async () => {
    const { cluster, anotherSerial } = await issuedOnce({ privateKey: { rotation: 'Never' } })
    const key = text(await getSecret(cluster), 'tls.key')
    await put(cluster, certificate({ privateKey: { rotation: 'Never' }, renewTrigger: '1' }))
    await anotherSerial()
    expect(text(await getSecret(cluster), 'tls.key')).toBe(key)
  })

  it('makes another key all the same where the spec asks for another kind', async () => {
    const { cluster, anotherSerial } = await issuedOnce({ privateKey: { rotation: 'Never' } })
    await put(cluster, certificate({ privateKey: { rotation: 'Never', algorithm: 'Ed25519' } }))
    await anotherSerial()
    expect(algorithmOfSpki(leafOf(await getSecret(cluster)).spki)).toEqual({ algorithm: 'Ed25519' })
  })

  it('never outlives the authority', async () => {
    const { cluster } = await issuedOnce({ duration: '365d' }, { duration: '100d', renewBefore: '10d' })
    const ca = await getAuthority(cluster)
    expect((await getCertificate(cluster)).status?.notAfter).toBe(ca.status?.certificate?.notAfter)
  })
})

describe('a CA that is renewed with the same key', () => {
  it('keeps name and key identifier, and leaves get new trust without a new certificate', async () => {
    const { clock, cluster, operator, serial } = await issuedOnce(
      { duration: '300d', renewBefore: '1d' },
      { duration: '400d', renewBefore: '200d' },
    )
    const leaf = leafOf(await getSecret(cluster))
    const [oldRoot] = certificatesOf(text(await getSecret(cluster), 'ca.crt')).map((der) => parseCertificate(der))
    await pass(clock, 205 * day)
    const [newRoot] = await until('new trust', async () => {
      const roots = certificatesOf(text(await getSecret(cluster), 'ca.crt')).map((der) => parseCertificate(der))
      return roots[0]?.serialNumber !== oldRoot?.serialNumber && roots
    })
    await quiet(operator)
    expect(newRoot?.subject).toEqual(oldRoot?.subject)
    expect(newRoot?.subjectKeyId).toEqual(oldRoot?.subjectKeyId)
    expect(newRoot?.notAfter).toBeGreaterThan(oldRoot?.notAfter ?? Infinity)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(serial)
    expect(signatureVerifies(leaf, newRoot?.subject as Uint8Array, newRoot?.spki as Uint8Array)).toBe(true)
  })

  it('takes an intermediate and its leaves along in their chains', async () => {
    const { cluster, clock, operator } = await fresh()
    await put(cluster, authority({ maxPathLength: 1, duration: '400d', renewBefore: '200d' }, 'root'))
    await put(
      cluster,
      authority({ source: { intermediate: { authorityRef: { name: 'root' } } }, duration: '390d', renewBefore: '1d' }),
    )
    await put(cluster, certificate({ duration: '380d', renewBefore: '1d' }))
    const before = await ready(cluster)
    const chain = certificatesOf(text(await getSecret(cluster), 'tls.crt'))
    expect(chain).toHaveLength(2)
    await pass(clock, 205 * day)
    await until('the new root in ca.crt', async () => {
      const [root] = certificatesOf(text(await getSecret(cluster), 'ca.crt'))
      const ca = await cluster.get(certificateAuthorities, { namespace, name: 'root' })
      return (
        root !== undefined &&
        parseCertificate(root).serialNumber === ca.status?.certificate?.serialNumber &&
        parseCertificate(root).notBefore > clock.now() - 10 * day
      )
    })
    await quiet(operator)
    expect((await getCertificate(cluster)).status?.serialNumber).toBe(before.status?.serialNumber)
  })
})

describe('a process that dies at any write', () => {
  const manifests = [authority({ maxPathLength: 1 }, 'root'), intermediate(), certificate()]
  const moments = Array.from({ length: 10 }, (_, i) => i + 1).flatMap((at) => [
    { at, when: 'before' as const },
    { at, when: 'after' as const },
  ])

  it.each(moments)('is carried on from write $at, dead $when it reached the server', async ({ at, when }) => {
    const { clock, cluster } = emptyCluster()
    const first = await start(cluster, clock)
    first.dieAt(at, when)
    for (const manifest of manifests) await put(cluster, manifest)
    await until('the first to die or to be done', async () => first.dead || isReady(await getCertificate(cluster)))
    await first.stop()
    const second = await start(cluster, clock)
    await ready(cluster)
    await quiet(second.operator)
    const items = await entriesOf(cluster)
    const serials = items.map(({ spec }) => spec.serialNumber)
    expect(new Set(serials).size).toBe(serials.length)
    expect(serials).toContain(leafOf(await getSecret(cluster)).serialNumber)
    expect(serials.length).toBeLessThanOrEqual(manifests.length + 1)
    const leaf = leafOf(await getSecret(cluster))
    const [, ca] = certificatesOf(text(await getSecret(cluster), 'tls.crt')).map((der) => parseCertificate(der))
    expect(signatureVerifies(leaf, ca?.subject as Uint8Array, ca?.spki as Uint8Array)).toBe(true)
  })
})
