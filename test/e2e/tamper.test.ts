import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { SecretThing } from './support/api.ts'
import { bytesOf, textOf } from './support/api.ts'
import { entriesFor, ledgerOf, ledgerProblems } from './support/ledger.ts'
import { authority, certificate, everyItem } from './support/manifests.ts'
import { problemsOf, serialOf } from './support/material.ts'
import { Recorder } from './support/recorder.ts'
import { Rig, certificates } from './support/rig.ts'

const ns = 'e2e-tamper'
const name = 'victim'
const secretName = `${name}-tls`
const repairedWithinMs = 30_000

let rig: Rig
let recorder: Recorder
beforeAll(async () => {
  rig = await Rig.start(sharedControlPlane(), { release: 'e2e-tamper-operator' }, [ns])
  await rig.operator()
  recorder = new Recorder(rig.api, ns, { unjudged: new Set([secretName]) })
  await rig.apply(
    authority(ns, 'ca'),
    authority(ns, 'other'),
    certificate(ns, name, { secret: { type: 'Opaque', items: everyItem, labels: { team: 'orders' } } }),
    certificate(ns, 'foreign', { authorityRef: { name: 'other' } }),
  )
  for (const one of [name, 'foreign']) await rig.ready(ns, certificates, one)
  // What somebody else keeps beside ours.
  await rig.api.patch('secrets', ns, secretName, {
    metadata: { labels: { theirs: 'label' }, annotations: { 'example.org/theirs': 'annotation' } },
    stringData: { 'their-key': 'their value' },
  })
})
afterAll(async () => {
  await recorder.stop()
  await rig.stop()
})

interface Row {
  readonly what: string
  readonly tamper: (before: SecretThing) => Promise<unknown>
  /** Whether the certificate can be kept. */
  readonly issues: boolean
  /** A deleted Secret takes foreign keys along. */
  readonly deleted?: boolean
}

/** Until a version that is neither the one before nor the spoilt one is whole: items, marks, one generation. */
const mended = (before: SecretThing): Promise<SecretThing> =>
  eventually(
    'the Secret to be mended',
    async () => {
      const secret = await rig.secret(ns, secretName)
      const { resourceVersion, annotations, labels, ownerReferences } = secret.metadata
      const whole =
        resourceVersion !== before.metadata.resourceVersion &&
        everyItem.every(({ key }) => (secret.data?.[key] ?? '') !== '') &&
        annotations?.['dbtls.dev/owner'] === `DatabaseCertificate/${name}` &&
        labels?.['team'] === 'orders' &&
        ownerReferences?.length === 1 &&
        (await problemsOf(secret, undefined, Date.now())).length === 0
      return whole && secret
    },
    { timeoutMs: repairedWithinMs },
  )

const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64')
const put = (data: Record<string, string | null>) => rig.api.patch('secrets', ns, secretName, { data })

const spoiled = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes)
  const middle = Math.floor(copy.length / 2)
  copy[middle] = (copy[middle] ?? 0) ^ 0xff
  return copy
}

const rows: readonly Row[] = [
  {
    what: 'a label of ours removed',
    tamper: () => rig.api.patch('secrets', ns, secretName, { metadata: { labels: { team: null } } }),
    issues: false,
  },
  {
    what: 'all our annotations removed',
    tamper: ({ metadata }) => {
      const ours = Object.keys(metadata.annotations ?? {}).filter((key) => key.startsWith('dbtls.dev/'))
      const annotations = Object.fromEntries(ours.map((key) => [key, null]))
      return rig.api.patch('secrets', ns, secretName, { metadata: { annotations } })
    },
    issues: false,
  },
  {
    what: 'the owner reference removed',
    tamper: () => rig.api.patch('secrets', ns, secretName, { metadata: { ownerReferences: null } }),
    issues: false,
  },
  {
    what: 'bytes of a keystore changed',
    tamper: (before) => put({ 'keystore.p12': base64(spoiled(bytesOf(before, 'keystore.p12'))) }),
    issues: false,
  },
  { what: 'a JKS file emptied', tamper: () => put({ 'keystore.jks': '' }), issues: false },
  { what: 'an item removed', tamper: () => put({ 'key-cert.pem': null }), issues: false },
  {
    what: 'the trust bundle truncated',
    tamper: (before) => put({ 'ca.crt': base64(textOf(before, 'ca.crt').slice(0, 100)) }),
    issues: false,
  },
  {
    what: 'the published password changed',
    tamper: () => put({ password: base64('not the password of these stores') }),
    issues: false,
  },
  {
    what: 'everything emptied',
    tamper: (before) =>
      put(Object.fromEntries(everyItem.map(({ key }) => [key, before.data?.[key] === undefined ? null : '']))),
    issues: true,
  },
  {
    what: "another CA's certificate and key put in",
    tamper: async () => {
      const foreign = await rig.secret(ns, 'foreign-tls')
      const gone = Object.fromEntries(everyItem.map(({ key }) => [key, null]))
      return put({ ...gone, ...(foreign.data as Record<string, string>) })
    },
    issues: true,
  },
  { what: 'the Secret deleted', tamper: () => rig.api.delete('secrets', ns, secretName), issues: true, deleted: true },
]

/** What stands in every form of the key but the stores. */
const keyForms = ['tls.key', 'key.der', 'encrypted.key', 'key-cert.pem', 'cert-key.pem', 'keystore.p12', 'keystore.jks']

describe('a Secret that somebody tampers with', () => {
  it.each(rows)('is mended within seconds: $what', async ({ tamper, issues, deleted }) => {
    const before = await rig.secret(ns, secretName)
    const entries = await entriesFor(rig.api, ns, name)
    await tamper(before)
    const after = await mended(before)
    // Another write would be the beginning of a loop.
    await rig.quiet()
    expect((await rig.secret(ns, secretName)).metadata.resourceVersion).toBe(after.metadata.resourceVersion)
    expect(serialOf(after) === serialOf(before)).toBe(!issues)
    expect(after.metadata.labels).toMatchObject({ 'app.kubernetes.io/managed-by': 'dbtls' })
    if (deleted !== true) {
      expect(after.metadata).toMatchObject({ labels: { theirs: 'label' } })
      expect(after.metadata).toMatchObject({ annotations: { 'example.org/theirs': 'annotation' } })
      expect(textOf(after, 'their-key')).toBe('their value')
    }
    const recorded = (await entriesFor(rig.api, ns, name)).filter(
      ({ metadata }) => !entries.some((known) => known.metadata.uid === metadata.uid),
    )
    expect(recorded.map(({ spec }) => spec.serialNumber)).toEqual(issues ? [serialOf(after)] : [])
    if (issues) expect(recorded[0]?.spec.supersedes?.serialNumber).toBe(serialOf(before))
    await rig.ready(ns, certificates, name)
  })

  it('gets a new certificate when the key is lost in all its forms', async () => {
    const before = await rig.secret(ns, secretName)
    const foreign = await rig.secret(ns, 'foreign-tls')
    await put({
      ...Object.fromEntries(keyForms.map((key) => [key, base64('nothing')])),
      'tls.key': foreign.data?.['tls.key'] ?? '',
    })
    const after = await mended(before)
    expect(serialOf(after)).not.toBe(serialOf(before))
  })

  it('is given the right key again from its other forms, when one is swapped or truncated', async () => {
    const before = await rig.secret(ns, secretName)
    const foreign = await rig.secret(ns, 'foreign-tls')
    await put({ 'tls.key': foreign.data?.['tls.key'] ?? '', 'leaf.crt': base64('-----BEGIN CERT') })
    const after = await mended(before)
    expect(serialOf(after)).toBe(serialOf(before))
  })

  it('has never shown a certificate that is not in the ledger', async () => {
    const foreign = serialOf(await rig.secret(ns, 'foreign-tls'))
    expect(recorder.serials().has(foreign)).toBe(true)
    expect(ledgerProblems(await ledgerOf(rig.api, ns), recorder.serials())).toEqual([])
    expect(await recorder.problems()).toEqual([])
  })
})
