import { describe, expect, it } from 'vitest'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { Secret } from '../resources/core.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { Observed } from './observed.ts'
import { secretDrift } from './outputs.ts'
import { factsOf } from './status.ts'
import type { Wanted } from './wanted.ts'

const certificate = (status?: object) =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseCertificate',
    metadata: { name: 'orders', namespace: 'data', uid: 'u' },
    status,
  }) as unknown as DatabaseCertificate
const wanted = {
  renewal: {},
  renewTrigger: '',
  secret: {
    items: [
      { key: 'tls.crt', content: 'CertificateChain' },
      { key: 'tls.key', content: 'PrivateKey' },
    ],
    labels: { team: 'orders' },
    annotations: { note: 'x' },
    retain: false,
  },
} as unknown as Wanted
const secret: Secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: 's',
    labels: { team: 'orders', 'app.kubernetes.io/managed-by': 'dbtls', theirs: 'too' },
    annotations: {
      note: 'x',
      'dbtls.dev/owner': 'DatabaseCertificate/orders',
      'dbtls.dev/renew-trigger': '',
      'dbtls.dev/requested-duration': '86400000',
    },
    ownerReferences: [{ apiVersion: 'v', kind: 'k', name: 'orders', uid: 'u' }],
  },
  data: { 'tls.crt': 'YQ==', 'tls.key': '', 'their.key': 'YQ==' },
}

const edited = (change: {
  labels?: object
  annotations?: object
  ownerReferences?: object[]
  data?: object
}): Secret => {
  const { labels, annotations } = secret.metadata
  const without = (has: object | undefined, edits: object = {}) =>
    Object.fromEntries(Object.entries({ ...has, ...edits }).filter(([, value]) => value !== undefined))
  return {
    ...secret,
    metadata: {
      ...secret.metadata,
      labels: without(labels, change.labels),
      annotations: without(annotations, change.annotations),
      ownerReferences: change.ownerReferences ?? secret.metadata.ownerReferences,
    },
    data: without(secret.data, change.data),
  } as Secret
}

describe('the drift of a Secret', () => {
  it.each([
    { name: 'nothing, whatever others added', change: {}, drift: [] },
    { name: 'a removed label', change: { labels: { team: undefined } }, drift: ['label team'] },
    { name: 'a changed annotation', change: { annotations: { note: 'y' } }, drift: ['annotation note'] },
    {
      name: 'the mark of the operator',
      change: { labels: { 'app.kubernetes.io/managed-by': 'helm' } },
      drift: ['label app.kubernetes.io/managed-by'],
    },
    {
      name: 'the mark of the owner',
      change: { annotations: { 'dbtls.dev/owner': undefined } },
      drift: ['annotation dbtls.dev/owner'],
    },
    {
      name: 'a lost trigger',
      change: { annotations: { 'dbtls.dev/renew-trigger': undefined } },
      drift: ['annotation dbtls.dev/renew-trigger'],
    },
    {
      name: 'a duration that says nothing',
      change: { annotations: { 'dbtls.dev/requested-duration': 'junk' } },
      drift: ['annotation dbtls.dev/requested-duration'],
    },
    { name: 'a missing key', change: { data: { 'tls.crt': undefined } }, drift: ['key tls.crt'] },
    { name: 'a missing owner', change: { ownerReferences: [] }, drift: ['owner reference'] },
    {
      name: 'an owner of the same name',
      change: { ownerReferences: [{ apiVersion: 'v', kind: 'k', name: 'orders', uid: 'before' }] },
      drift: ['owner reference'],
    },
  ])('is $name', ({ change, drift }) => {
    expect(secretDrift(certificate(), wanted, edited(change))).toEqual(drift)
  })

  it('is an owner where the Secret is to be retained', () => {
    const retained = { ...wanted, secret: { ...wanted.secret, retain: true } }
    expect(secretDrift(certificate(), retained, secret)).toEqual(['owner reference'])
    expect(secretDrift(certificate(), retained, edited({ ownerReferences: [] }))).toEqual([])
  })
})

describe('the facts of an issuance', () => {
  const validity = { notBefore: 0, notAfter: 90_000_000 }
  const leaf = { serialNumber: '0B', fingerprint: 'f', spki: new Uint8Array(1), ...validity } as ParsedCertificate
  const seen = {
    resolved: { wanted },
    authority: { state: 'usable', material: { certificate: { fingerprint: 'ca' }, trustHash: 't' } },
    password: { state: 'found', value: 'CANARY', resourceVersion: '6' },
  } as unknown as Observed
  const facts = (status?: object) =>
    factsOf(
      certificate(status),
      seen,
      wanted,
      leaf,
      { uid: 's', resourceVersion: '5' },
      { signedBy: 'ca', trustHash: 't' },
    )

  it('name certificate, authority and what was seen, and no secret', () => {
    expect(facts()).toMatchObject({
      serialNumber: '0B',
      authorityFingerprint: 'ca',
      trustBundleHash: 't',
      observed: { secretUid: 's', secretResourceVersion: '5', passwordResourceVersion: '6' },
    })
    expect(JSON.stringify(facts())).not.toContain('CANARY')
  })

  it('clear what failed before', () => {
    const cleared = facts({ failedAttempts: 3, nextAttemptAt: 'x', lastFailure: {} })
    expect(cleared).toHaveProperty('failedAttempts', undefined)
    expect(cleared).toHaveProperty('nextAttemptAt', undefined)
    expect(cleared).toHaveProperty('lastFailure', undefined)
  })

  it.each([
    { name: 'the first', status: undefined, revision: 1 },
    { name: 'the next', status: { serialNumber: '0A', revision: 4 }, revision: 5 },
    { name: 'the same, written again', status: { serialNumber: '0B', revision: 4 }, revision: 4 },
  ])('count $name as revision $revision', ({ status, revision }) => {
    expect(facts(status).revision).toBe(revision)
  })
})
