/** The ways that the material of a CA can go through a rotation, and a CA below that goes with it. */
import { describe, expect, it } from 'vitest'
import { chainProblems } from './pki/certificates/chain.ts'
import { parseCertificate, signatureVerifies } from './pki/certificates/parse.ts'
import { certificatesOf, encodePem } from './pki/encoding/pem.ts'
import { makeRoot } from './pki/testing.ts'
import { findCondition } from './resources/conditions.ts'
import { secrets } from './resources/core.ts'
import {
  type Act,
  begin,
  keysOf,
  pemsOf,
  type Phase,
  type Process,
  processOn,
  signal,
  stepNames,
  steps,
  take,
} from './rotating.fixture.ts'
import {
  authority,
  certificate,
  day,
  emptyCluster,
  entriesOf,
  getCertificate,
  getSecret,
  intermediate,
  leafOf,
  namespace,
  pass,
  person,
  put,
  secretOf,
  text,
} from './testing.ts'

describe('ways through a rotation', () => {
  const begun = (spec: object = {}): Promise<Process> => begin(authority(spec), certificate())
  const fingerprintOf = (process: Process): string => process.authority().status?.certificate?.fingerprint ?? ''
  const abandon = (process: Process) => process.step('Idle', (rotator, ca) => rotator.abandon(ca, signal))

  it.each([['prepare'], ['prepare', 'publish']] as const)(
    'end before the switch, and leave nothing behind: %s %s',
    async (...taken) => {
      const process = await begun()
      const before = [await pemsOf(process, 'tls.crt', 'ca-ca'), await pemsOf(process, 'ca.crt')]
      await take(process, ...taken.filter((one) => one !== undefined))
      await abandon(process)
      await process.settle()
      expect([await pemsOf(process, 'tls.crt', 'ca-ca'), await pemsOf(process, 'ca.crt')]).toEqual(before)
      expect(await keysOf(process)).toEqual(['ca.crt', 'tls.crt', 'tls.key'])
      expect(await process.settle()).toEqual([])
    },
  )

  it('go back after the switch: the two change places, and the certificates with them', async () => {
    const process = await begun()
    const first = fingerprintOf(process)
    await take(process, 'prepare', 'publish', 'switch')
    const second = fingerprintOf(process)
    const moved = leafOf(await getSecret(process.cluster)).serialNumber
    process.waiting.add(`${namespace}/orders`)
    const back = () => process.step('Signing', (rotator, ca) => rotator.switchBack(ca, { to: first }, signal))
    expect((await back()).wrote).toBe(true)
    expect((await back()).wrote).toBe(false)
    await process.settle()
    expect(process.authority().status).toMatchObject({
      certificate: { fingerprint: first },
      rotation: { from: second, to: first },
    })
    expect(leafOf(await getSecret(process.cluster)).serialNumber).toBe(moved)
    process.waiting.clear()
    await process.settle()
    expect(leafOf(await getSecret(process.cluster)).serialNumber).not.toBe(moved)
    await take(process, 'drop', 'finish')
    expect((await pemsOf(process, 'ca.crt')).length).toBe(1)
    expect(fingerprintOf(process)).toBe(first)
  })

  it('lead from Next to Dropped at once, for a CA that nobody is to trust any more', async () => {
    const process = await begun()
    await take(process, 'prepare')
    process.waiting.add(`${namespace}/orders`)
    await process.step('Signing', (rotator, ca) => rotator.switchSigner(ca, { dropNow: true }, signal))
    await process.settle()
    // What waits for its turn is trusted by nobody; its own trust follows at once.
    expect(await pemsOf(process, 'ca.crt')).toEqual(await pemsOf(process, 'tls.crt', 'ca-ca'))
    process.waiting.clear()
    await process.settle()
    await take(process, 'finish')
    expect(await process.settle()).toEqual([])
  })

  it('give the next CA a version in its name, and the spec stays true', async () => {
    const process = await begun({ rotation: { nextName: 'Versioned' } })
    for (const version of ['v2', 'v3']) {
      await take(process, 'prepare', 'publish', 'switch', 'drop', 'finish')
      const { status } = process.authority()
      expect(status?.certificate?.subject).toBe(`CN=ca of tests ${version}`)
      expect(findCondition(status?.conditions, 'Ready')?.status).toBe('True')
    }
  })

  it('keep the name byte for byte otherwise, with another key identifier', async () => {
    const process = await begun()
    await take(process, 'prepare')
    const { certificate: present, other } = await process.rotator.look(process.authority(), signal)
    expect(Buffer.from(other?.subject ?? [])).toEqual(Buffer.from(present.subject))
    expect(other?.subjectKeyId).not.toEqual(present.subjectKeyId)
  })

  it('let clients of the former CA verify what the next one signs, where it vouches for that', async () => {
    const process = await begun({ rotation: { crossSign: true } })
    const [old] = certificatesOf(text(await getSecret(process.cluster, 'ca-ca'), 'ca.crt')).map(parseCertificate)
    await take(process, 'prepare', 'publish', 'switch')
    const [leaf, cross, ...more] = certificatesOf(text(await getSecret(process.cluster), 'tls.crt')).map(
      parseCertificate,
    )
    if (old === undefined || leaf === undefined || cross === undefined) throw new Error('a chain of two')
    expect(more).toEqual([])
    expect(signatureVerifies(cross, old.subject, old.spki)).toBe(true)
    expect(signatureVerifies(leaf, cross.subject, cross.spki)).toBe(true)
    await take(process, 'drop')
    expect(certificatesOf(text(await getSecret(process.cluster), 'tls.crt'))).toHaveLength(1)
    await take(process, 'finish')
    expect(await process.settle()).toEqual([])
  })

  it('let clients of the former root verify through a CA below the next one, too', async () => {
    const root = authority({ maxPathLength: 2, rotation: { crossSign: true } })
    const below = intermediate({}, 'below', { name: 'ca' })
    const process = await begin(root, below, certificate({ authorityRef: { name: 'below' } }))
    const chain = async () => certificatesOf(text(await getSecret(process.cluster), 'tls.crt')).map(parseCertificate)
    const [old] = certificatesOf(text(await getSecret(process.cluster, 'ca-ca'), 'ca.crt')).map(parseCertificate)
    await take(process, 'prepare', 'publish', 'switch')
    const [leaf, middle, cross] = await chain()
    if (!old || !leaf || !middle || !cross) throw new Error('a chain of three')
    expect(chainProblems(leaf, [middle, cross], [old], process.clock.now())).toEqual([])
    await take(process, 'drop', 'finish')
    expect(await chain()).toHaveLength(2)
    expect(await process.settle()).toEqual([])
  })

  it('take a CA that somebody else has made, and that the ledger does not have', async () => {
    const made = await makeRoot({ commonName: 'ca of tests' })
    const { clock, cluster } = emptyCluster()
    const { fingerprint, notBefore } = parseCertificate(made.certificate)
    clock.setNow(notBefore + day)
    const process = await processOn(cluster, clock)
    const pem = encodePem('CERTIFICATE', made.certificate)
    const pair = { 'tls.crt': pem, 'tls.key': encodePem('PRIVATE KEY', made.key.pkcs8), 'ca.crt': pem }
    const metadata = { name: 'ca-ca', namespace, annotations: { 'dbtls.dev/adopt': 'true' } }
    await cluster.apply(secrets, secretOf('ca-ca', pair, { type: 'kubernetes.io/tls', metadata }), person)
    const subject = { commonName: 'ca of tests', organizations: ['Acme'] }
    for (const object of [authority({ subject }), certificate()]) await put(cluster, object)
    await process.settle()
    expect(process.authority().status).toMatchObject({ certificate: { fingerprint } })
    for (const name of stepNames) {
      await take(process, name)
      expect(findCondition(process.authority().status?.conditions, 'Ready')?.status).toBe('True')
    }
    expect(fingerprintOf(process)).not.toBe(fingerprint)
    expect(await process.settle()).toEqual([])
  })

  it('take a CA that has ended', async () => {
    const process = await begun({ duration: '30d', renewBefore: '10d', rotation: { onExpiry: 'NewKey' } })
    const first = fingerprintOf(process)
    await pass(process.clock, 31 * day)
    await process.settle()
    // The key is not used again: another one is to follow it.
    expect(fingerprintOf(process)).toBe(first)
    await take(process, 'prepare', 'switch', 'drop', 'finish')
    expect(fingerprintOf(process)).not.toBe(first)
    expect((await getCertificate(process.cluster)).status?.authorityFingerprint).toBe(fingerprintOf(process))
  })

  it('use the key again rather than let a CA end while a rotation waits', async () => {
    const process = await begun({ duration: '30d', renewBefore: '10d', rotation: { onExpiry: 'NewKey' } })
    await take(process, 'prepare', 'publish')
    const first = fingerprintOf(process)
    await pass(process.clock, 25 * day)
    await process.settle()
    expect(fingerprintOf(process)).toBe(first)
    await pass(process.clock, 3.2 * day)
    await process.settle()
    expect(fingerprintOf(process)).not.toBe(first)
    expect((await process.rotator.look(process.authority(), signal)).stage).toBe('Both')
    expect(process.authority().status?.rotation?.from).toBe(fingerprintOf(process))
    expect(await process.settle()).toEqual([])
  })

  it('sign a root once more with the same key, once for a trigger', async () => {
    const process = await begun()
    const renew = (trigger: string) =>
      process.step('Idle', (rotator, ca) => rotator.renewSameKey(ca, { trigger }, signal))
    const first = process.authority().status?.certificate
    expect((await renew('a')).wrote).toBe(true)
    expect((await renew('a')).wrote).toBe(false)
    expect((await renew('b')).wrote).toBe(true)
    await process.settle()
    const last = process.authority().status?.certificate
    expect(last).toMatchObject({
      subjectKeyId: first?.subjectKeyId,
      publicKeyHash: first?.publicKeyHash,
      subject: first?.subject,
    })
    expect(last?.serialNumber).not.toBe(first?.serialNumber)
    expect(await entriesOf(process.cluster, 'ca')).toHaveLength(3)
  })

  it('do not begin where something else is amiss', async () => {
    const process = await begun()
    await expect(steps.publish(process)).rejects.toThrow('stage Plain')
    await expect(steps.drop(process)).rejects.toThrow('stage Plain')
    await take(process, 'prepare', 'publish', 'switch')
    await expect(abandon(process)).rejects.toThrow('stage Switched')
    await expect(steps.prepare(process)).rejects.toThrow('stage Switched')
  })
})

describe('a root with a CA below it', () => {
  it('carries that CA and its certificates through every stage', async () => {
    const below = intermediate({}, 'below', { name: 'ca' })
    const process = await begin(
      authority({ maxPathLength: 1 }),
      below,
      certificate({ authorityRef: { name: 'below' } }),
    )
    const { cluster } = process
    const leaf = leafOf(await getSecret(cluster)).serialNumber
    const key = process.authority('below').status?.certificate?.publicKeyHash
    const versions = new Set([(await getSecret(cluster)).metadata.resourceVersion])
    for (const name of stepNames) {
      await take(process, name)
      versions.add((await getSecret(cluster)).metadata.resourceVersion)
      expect(await pemsOf(process, 'ca.crt')).toEqual(await pemsOf(process, 'ca.crt', 'ca-ca'))
      expect(await process.settle()).toEqual([])
    }
    // Same key below: its certificates stay, with another chain.
    expect(process.authority('below').status?.certificate?.publicKeyHash).toBe(key)
    expect(leafOf(await getSecret(cluster)).serialNumber).toBe(leaf)
    expect(versions.size).toBe(1 + 3)
    const [root] = certificatesOf(text(await getSecret(cluster), 'ca.crt')).map(parseCertificate)
    const [, middle] = certificatesOf(text(await getSecret(cluster), 'tls.crt')).map(parseCertificate)
    if (root === undefined || middle === undefined) throw new Error('root and intermediate')
    expect(signatureVerifies(middle, root.subject, root.spki)).toBe(true)
  })

  it('signs both CAs of one that is itself in a rotation, and what waits there keeps its leaf', async () => {
    const process = await begin(authority({ maxPathLength: 1 }, 'root'), intermediate(), certificate())
    const { cluster } = process
    process.waiting.add(`${namespace}/orders`)
    await take(process, 'prepare', 'publish', 'switch')
    const leaf = leafOf(await getSecret(cluster)).serialNumber
    const ofRoot = async (phase: Phase, act: Act) => {
      await process.step(phase, act, 'root')
      await process.settle()
    }
    await ofRoot('Prepared', (rotator, of) => rotator.prepare(of, { trigger: '' }, signal))
    await ofRoot('TrustBoth', (rotator, of) => rotator.publish(of, signal))
    await ofRoot('Signing', (rotator, of) => rotator.switchSigner(of, { dropNow: false }, signal))
    await ofRoot('Dropped', (rotator, of) => rotator.drop(of, signal))
    await ofRoot('Idle', (rotator, of) => rotator.finish(of, signal))
    const secret = await getSecret(cluster)
    expect(leafOf(secret).serialNumber).toBe(leaf)
    const [root] = certificatesOf(text(secret, 'ca.crt')).map(parseCertificate)
    const [own, former] = certificatesOf(text(secret, 'tls.crt')).map(parseCertificate)
    if (root === undefined || own === undefined || former === undefined) throw new Error('a chain of two and a root')
    expect(signatureVerifies(former, root.subject, root.spki)).toBe(true)
    expect(signatureVerifies(own, former.subject, former.spki)).toBe(true)
    expect(await process.settle()).toEqual([])
    process.waiting.clear()
    await process.settle()
    expect(leafOf(await getSecret(cluster)).serialNumber).not.toBe(leaf)
  })
})
