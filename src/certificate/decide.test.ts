import { describe, expect, it } from 'vitest'
import type { AuthorityMaterial } from '../authority/keyring.ts'
import { renewalTime } from '../control/schedule.ts'
import { distinguishedName } from '../pki/names/names.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { SigningPolicy } from '../pki/policy/policy.ts'
import { checks, decide } from './decide.ts'
import type { AuthoritySeen, Observed, SecretSeen } from './observed.ts'
import type { Wanted } from './wanted.ts'

const day = 24 * 3_600_000
const now = Date.parse('2026-11-21T00:00:00Z')

const wanted: Wanted = {
  authority: { namespace: 'data', name: 'ca' },
  subject: distinguishedName({ commonName: 'orders' }),
  names: [{ type: 'DNS', value: 'orders.data.svc' }],
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: ['serverAuth'],
  keyAlgorithm: { algorithm: 'ECDSA', size: 256 },
  keyEncoding: 'PKCS8',
  reuseKey: false,
  duration: 90 * day,
  durationGiven: true,
  renewal: {},
  renewTrigger: '',
  pkcs12Profile: 'Modern2023',
  needsPassword: false,
  secret: { name: 'orders-tls', type: 'kubernetes.io/tls', items: [], labels: {}, annotations: {}, retain: false },
}

const leaf = {
  subject: wanted.subject,
  spki: new Uint8Array([1]),
  subjectAlternativeNames: wanted.names,
  otherAlternativeNames: 0,
  keyUsage: wanted.keyUsage,
  extendedKeyUsage: wanted.extendedKeyUsage,
  notBefore: now - day,
  notAfter: now + 89 * day,
  serialNumber: '0A',
} as unknown as ParsedCertificate

type Present = Extract<SecretSeen, { state: 'present' }>
const secret: Present = {
  state: 'present',
  uid: 'u',
  resourceVersion: '1',
  type: 'kubernetes.io/tls',
  immutable: false,
  ours: true,
  adopted: false,
  owner: 'DatabaseCertificate/orders',
  leaf,
  takenOver: false,
  privateKey: new Uint8Array([1]),
  keyAlgorithm: wanted.keyAlgorithm,
  password: undefined,
  signedByAuthority: true,
  waits: false,
  requestedDuration: 90 * day,
  renewTrigger: '',
  drift: [],
  outputsCurrent: true,
  staleLists: [],
  counted: new Map(),
}

const usable = (notAfter = now + 3650 * day, notBefore = now - day): AuthoritySeen => ({
  state: 'usable',
  name: 'CertificateAuthority data/ca',
  uid: 'ca',
  material: {
    certificate: { notAfter },
    signer: { subject: distinguishedName({ commonName: 'CA' }), notBefore },
  } as unknown as AuthorityMaterial,
  published: undefined,
})

const forbidding = (rules: SigningPolicy): AuthoritySeen =>
  ({ ...usable(), policy: { rules, hash: 'h' } }) as AuthoritySeen
/** Signed for a key made elsewhere; no key in the Secret. */
const requested = (key: number, change: Partial<Observed> = {}): Observed =>
  seen({
    resolved: { wanted: { ...wanted, request: { spki: new Uint8Array([key]), pem: 'PEM' } } },
    secret: { ...secret, privateKey: undefined, keyAlgorithm: undefined },
    ...change,
  })
const revokedFor = (reason: string) => ({ state: 'Revoked', reason }) as const

const base: Observed = {
  name: 'DatabaseCertificate data/orders',
  uid: '6f9619ff',
  generation: 1,
  resolved: { wanted },
  status: undefined,
  authority: usable(),
  password: undefined,
  request: undefined,
  secret,
  entry: undefined,
  revocationList: undefined,
  authorityKey: undefined,
  commonNameHolder: undefined,
  keyHolder: undefined,
  keyCompromised: false,
}

const seen = (change: Partial<Observed>): Observed => ({ ...base, ...change })
const withSecret = (change: Partial<Present>): Observed => seen({ secret: { ...secret, ...change } })
const want = (change: Partial<Wanted>): Observed => seen({ resolved: { wanted: { ...wanted, ...change } } })

/** At the test's `now`, a Saturday's midnight, the certificate is past its renewal and has 20 days left. */
const dueLeaf = { ...leaf, notBefore: now - 70 * day, notAfter: now + 20 * day }
const windowed = (cron: string, change: Partial<Observed> = {}, timeZone = 'UTC'): Observed =>
  seen({
    resolved: { wanted: { ...wanted, windows: [{ cron, duration: '1h', timeZone }] } },
    secret: { ...secret, leaf: dueLeaf },
    ...change,
  })
const unreadable = (change: Partial<Observed> = {}): Observed => windowed('0 2 * * 6', change, 'Europe/Atlantis')
const windowCases: Case[] = [
  { name: 'a renewal that is due waits for its window', seen: windowed('0 2 * * 6'), cure: 'None' },
  {
    name: 'a renewal that is due begins in its window',
    seen: windowed('0 0 * * 6'),
    cure: 'Issue',
    reason: 'Renewing',
  },
  {
    name: 'a renewal that is due does not wait for a window after the end',
    seen: windowed('0 2 1 1 *'),
    cure: 'Issue',
    reason: 'Renewing',
    says: 'none of spec.rotation.windows opens before its end',
  },
  {
    name: 'a first certificate waits for no window',
    seen: windowed('0 2 * * 6', { secret: { state: 'absent' } }),
    cure: 'Issue',
    reason: 'Issuing',
  },
  {
    name: 'a revoked certificate waits for no window',
    seen: windowed('0 2 * * 6', { entry: revokedFor('superseded') }),
    cure: 'Issue',
    reason: 'Issuing',
  },
  {
    name: 'a changed trigger waits for no window',
    seen: windowed('0 2 * * 6', { secret: { ...secret, leaf: dueLeaf, renewTrigger: 'old' } }),
    cure: 'Issue',
    reason: 'Renewing',
    says: 'renewTrigger',
  },
  {
    name: 'a signer that is no more waits for no window',
    seen: windowed('0 2 * * 6', { secret: { ...secret, leaf: dueLeaf, signedByAuthority: false } }),
    cure: 'Issue',
    reason: 'Issuing',
  },
  {
    name: 'another bundle waits for no window',
    seen: windowed('0 2 * * 6', { secret: { ...secret, leaf: dueLeaf, outputsCurrent: false } }),
    cure: 'Encode',
  },
  {
    name: 'a window that cannot be read stalls',
    seen: unreadable({ secret }),
    cure: 'Stall',
    reason: 'RequestInvalid',
    says: 'spec.rotation.windows[0].timeZone: no time zone is called "Europe/Atlantis"',
  },
  {
    name: 'a window that cannot be read stalls the first certificate',
    seen: unreadable({ secret: { state: 'absent' } }),
    cure: 'Stall',
    reason: 'RequestInvalid',
  },
  {
    name: 'a window that cannot be read does not keep a certificate from its renewal',
    seen: unreadable(),
    cure: 'Issue',
    reason: 'Renewing',
  },
  {
    name: 'a window that cannot be read does not keep one from it that is replaced unread',
    seen: unreadable({ secret: { ...secret, leaf: undefined, due: 'It is due.' } }),
    cure: 'Issue',
    reason: 'Renewing',
  },
]

interface Case {
  readonly name: string
  readonly seen: Observed
  readonly cure: string
  readonly reason?: string
  readonly says?: string
}

describe('decide', () => {
  const cases: Case[] = [
    { name: 'nothing to do when all is as asked', seen: base, cure: 'None' },
    {
      name: 'a key that the CA keeps for itself stalls',
      seen: seen({ authorityKey: { state: 'refused', message: 'set spec.allowKeyExport' } }),
      cure: 'Stall',
      reason: 'KeyExportNotAllowed',
      says: 'allowKeyExport',
    },
    {
      name: 'an unusable spec stalls with every problem',
      seen: seen({ resolved: { problems: ['spec.a: one.', 'spec.b: two.'] } }),
      cure: 'Stall',
      reason: 'RequestInvalid',
      says: 'spec.a: one. spec.b: two.',
    },
    {
      name: 'a missing CA stalls',
      seen: seen({ authority: { state: 'missing', message: 'gone' } }),
      cure: 'Stall',
      reason: 'AuthorityNotFound',
    },
    {
      name: 'a CA that refuses the namespace stalls',
      seen: seen({ authority: { state: 'refused', message: 'no' } }),
      cure: 'Stall',
      reason: 'AuthorityNotAllowed',
    },
    {
      name: 'a CA that is not ready is waited for when something must be signed',
      seen: seen({ authority: { state: 'notReady', message: 'soon' }, secret: { state: 'absent' } }),
      cure: 'Wait',
      reason: 'AuthorityNotReady',
    },
    {
      name: 'a CA that is not ready is waited for when something must be written',
      seen: seen({ authority: { state: 'notReady', message: 'soon' }, secret: { ...secret, drift: ['label a'] } }),
      cure: 'Wait',
      reason: 'AuthorityNotReady',
    },
    {
      name: 'a CA that is not ready does not disturb a good certificate',
      seen: seen({ authority: { state: 'notReady', message: 'soon' } }),
      cure: 'None',
    },
    {
      name: 'a foreign Secret stalls and names the way out',
      seen: withSecret({ ours: false, owner: undefined }),
      cure: 'Stall',
      reason: 'SecretInTheWay',
      says: 'dbtls.dev/adopt',
    },
    {
      name: "another certificate's Secret stalls and names the other",
      seen: withSecret({ ours: false, owner: 'DatabaseCertificate/other' }),
      cure: 'Stall',
      reason: 'SecretInTheWay',
      says: 'DatabaseCertificate/other',
    },
    { name: 'a changed type stalls', seen: withSecret({ type: 'Opaque' }), cure: 'Stall', reason: 'SecretTypeChanged' },
    {
      name: 'an immutable Secret stalls',
      seen: withSecret({ immutable: true }),
      cure: 'Stall',
      reason: 'SecretImmutable',
    },
    {
      name: 'a missing password Secret stalls',
      seen: seen({ password: { state: 'missing', message: 'no Secret "p"' } }),
      cure: 'Stall',
      reason: 'PasswordSecretNotFound',
      says: '"p"',
    },
    {
      name: 'a short password stalls without being quoted',
      seen: seen({ password: { state: 'found', value: 'abc', resourceVersion: '1' } }),
      cure: 'Stall',
      reason: 'PasswordInvalid',
    },
    {
      name: 'the first certificate is issued',
      seen: seen({ secret: { state: 'absent' } }),
      cure: 'Issue',
      reason: 'Issuing',
    },
    { name: 'an unreadable certificate is issued anew', seen: withSecret({ leaf: undefined }), cure: 'Issue' },
    { name: 'a key that is not of the certificate', seen: withSecret({ privateKey: undefined }), cure: 'Issue' },
    {
      name: 'another key algorithm',
      seen: want({ keyAlgorithm: { algorithm: 'RSA', size: 2048 } }),
      cure: 'Issue',
      says: 'RSA 2048',
    },
    { name: 'another signer key', seen: withSecret({ signedByAuthority: false }), cure: 'Issue' },
    {
      name: 'the key of the former CA, while it waits',
      seen: withSecret({ signedByAuthority: false, waits: true }),
      cure: 'None',
    },
    {
      name: 'another subject',
      seen: want({ subject: distinguishedName({ commonName: 'other' }) }),
      cure: 'Issue',
      says: 'CN=other',
    },
    {
      name: 'a name more',
      seen: want({ names: [...wanted.names, { type: 'IP', value: '127.0.0.1' }] }),
      cure: 'Issue',
      says: 'lacks IP 127.0.0.1',
    },
    { name: 'a name less', seen: want({ names: [] }), cure: 'Issue', says: 'DNS orders.data.svc too many' },
    { name: 'other usages', seen: want({ extendedKeyUsage: ['clientAuth'] }), cure: 'Issue' },
    { name: 'another duration', seen: want({ duration: 30 * day }), cure: 'Issue', says: 'spec.duration' },
    { name: 'a changed trigger', seen: want({ renewTrigger: '2' }), cure: 'Issue', reason: 'Renewing' },
    {
      name: 'a Secret without a recorded trigger is left alone',
      seen: seen({
        resolved: { wanted: { ...wanted, renewTrigger: '2' } },
        secret: { ...secret, renewTrigger: undefined },
      }),
      cure: 'None',
    },
    {
      name: 'outputs that differ are encoded, not issued',
      seen: withSecret({ outputsCurrent: false }),
      cure: 'Encode',
      reason: 'Encoding',
    },
    { name: 'a removed label is put back', seen: withSecret({ drift: ['label a'] }), cure: 'Encode', says: 'label a' },
    {
      name: 'a reason to issue outweighs one to encode',
      seen: withSecret({ outputsCurrent: false, signedByAuthority: false }),
      cure: 'Issue',
    },
    {
      name: 'what the policy forbids is not issued',
      seen: seen({ secret: { state: 'absent' }, authority: forbidding({ allowedDNSNames: ['*.example'] }) }),
      cure: 'Stall',
      reason: 'PolicyViolation',
      says: 'CertificateAuthority data/ca does not sign this. The DNS name "orders.data.svc" is not in policy.allowedDNSNames',
    },
    {
      name: 'what the policy forbids is not renewed, and the Secret stays',
      seen: seen({
        secret: { ...secret, renewTrigger: 'old' },
        authority: forbidding({ allowedDNSNames: ['*.example'] }),
      }),
      cure: 'Stall',
      reason: 'PolicyViolation',
      says: 'The Secret stays as it is.',
    },
    {
      name: 'what a later policy forbids stays in use',
      seen: seen({ authority: forbidding({ allowedDNSNames: ['*.example'], maxDuration: day }) }),
      cure: 'None',
    },
    {
      name: 'what a later policy forbids is written again',
      seen: seen({
        secret: { ...secret, drift: ['label a'] },
        authority: forbidding({ allowedDNSNames: ['*.example'] }),
      }),
      cure: 'Encode',
    },
    {
      name: 'a lifetime asked for beyond the policy is refused',
      seen: seen({ secret: { state: 'absent' }, authority: forbidding({ maxDuration: 30 * day }) }),
      cure: 'Stall',
      reason: 'PolicyViolation',
      says: '90 days is longer than policy.maxDuration, 30 days',
    },
    {
      name: 'a lifetime not asked for gives way to the policy',
      seen: seen({
        resolved: { wanted: { ...wanted, durationGiven: false } },
        secret: { state: 'absent' },
        authority: forbidding({ maxDuration: 30 * day }),
      }),
      cure: 'Issue',
    },
    {
      name: 'a replaced certificate in use is left alone',
      seen: seen({ entry: { state: 'Superseded' } }),
      cure: 'None',
    },
    {
      name: 'a revoked certificate is replaced',
      seen: seen({ entry: revokedFor('keyCompromise') }),
      cure: 'Issue',
      says: 'Certificate 0A was revoked (keyCompromise).',
    },
    {
      name: 'a certificate on hold is not replaced',
      seen: seen({ entry: revokedFor('certificateHold'), secret: { ...secret, renewTrigger: 'old' } }),
      cure: 'Stall',
      reason: 'OnHold',
    },
    { name: 'a request that was signed needs no key', seen: requested(1), cure: 'None' },
    {
      name: 'a request for another key is signed',
      seen: requested(2),
      cure: 'Issue',
      says: 'not for the key of spec.request',
    },
    {
      name: 'outputs of a request that differ are encoded',
      seen: requested(1, { secret: { ...secret, privateKey: undefined, outputsCurrent: false } }),
      cure: 'Encode',
    },
    {
      name: 'a request is not signed again for a key that is known to others',
      seen: requested(1, { entry: revokedFor('keyCompromise') }),
      cure: 'Stall',
      reason: 'KeyInUse',
    },
    {
      name: 'a request for another key is signed when the former one is known to others',
      seen: requested(2, { entry: revokedFor('keyCompromise') }),
      cure: 'Issue',
    },
    {
      name: 'a request is not signed for a key of which another certificate was revoked as known to others',
      seen: requested(2, { keyCompromised: true }),
      cure: 'Stall',
      reason: 'KeyInUse',
      says: 'keyCompromise',
    },
    {
      name: 'a request that was signed is left alone when an earlier certificate of its key is known to others',
      seen: requested(1, { keyCompromised: true }),
      cure: 'None',
    },
    {
      name: 'a request for the key of another is not signed',
      seen: requested(2, { keyHolder: 'DatabaseCertificate data/other' }),
      cure: 'Stall',
      reason: 'KeyInUse',
      says: 'that of DatabaseCertificate data/other',
    },
    {
      name: 'a request that was signed is left alone when another has its key',
      seen: requested(1, { keyHolder: 'DatabaseCertificate data/other' }),
      cure: 'None',
    },
    {
      name: 'a request that is not there stalls with a reason of its own',
      seen: seen({
        resolved: { problems: ['no Secret "csr"'] },
        request: { state: 'missing', version: '', message: 'no Secret "csr"' },
      }),
      cure: 'Stall',
      reason: 'RequestNotFound',
      says: '"csr"',
    },
    {
      name: 'a common name that has passed to another stalls',
      seen: seen({ commonNameHolder: 'DatabaseCertificate data/newer', entry: revokedFor('superseded') }),
      cure: 'Stall',
      reason: 'CommonNameTaken',
      says: 'data/newer',
    },
    {
      name: 'a revocation list that is to come is waited for',
      seen: seen({ secret: { state: 'absent' }, revocationList: { state: 'absent', made: true } }),
      cure: 'Wait',
      reason: 'RevocationListNotReady',
    },
    {
      name: 'a revocation list that will never come stalls',
      seen: seen({ secret: { state: 'absent' }, revocationList: { state: 'absent', made: false } }),
      cure: 'Stall',
      reason: 'RevocationListNotReady',
      says: 'set spec.crl there',
    },
    {
      name: 'a revocation list that is gone does not disturb a good certificate',
      seen: seen({ revocationList: { state: 'absent', made: true } }),
      cure: 'None',
    },
    {
      name: 'a reason to stall outweighs one to issue',
      seen: seen({ secret: { state: 'absent' }, password: { state: 'missing', message: 'm' } }),
      cure: 'Stall',
    },
    {
      name: 'a certificate that begins far ahead is issued anew',
      seen: withSecret({ leaf: { ...leaf, notBefore: now + 10 * 60_000 + 1 } }),
      cure: 'Issue',
      reason: 'Renewing',
      says: 'not valid before 2026-11-21T00:10:00Z',
    },
    {
      name: 'a certificate that begins a little ahead is left alone',
      seen: withSecret({ leaf: { ...leaf, notBefore: now + 10 * 60_000 } }),
      cure: 'None',
    },
    {
      name: 'an authority that is not valid yet is waited for',
      seen: seen({ secret: { state: 'absent' }, authority: usable(undefined, now + 1000) }),
      cure: 'Wait',
      reason: 'AuthorityNotReady',
      says: 'not valid before',
    },
    {
      name: 'an authority that is not valid yet does not disturb a good certificate',
      seen: seen({ authority: usable(undefined, now + day) }),
      cure: 'None',
    },
    {
      name: 'a certificate that begins far ahead waits for the turn of its authority where that does, too',
      seen: seen({
        secret: { ...secret, leaf: { ...leaf, notBefore: now + day } },
        authority: usable(undefined, now + day),
      }),
      cure: 'None',
    },
    {
      name: 'an authority near its end does not issue',
      seen: seen({ secret: { state: 'absent' }, authority: usable(now + 30_000) }),
      cure: 'Stall',
      reason: 'AuthorityExpiring',
    },
    {
      name: 'an authority that ends within renewBefore does not issue',
      seen: seen({
        secret: { state: 'absent' },
        resolved: { wanted: { ...wanted, renewal: { renewBefore: 30 * day } } },
        authority: usable(now + 20 * day),
      }),
      cure: 'Stall',
      reason: 'AuthorityExpiring',
    },
    ...windowCases,
    {
      name: 'an authority near its end does not disturb a good certificate',
      seen: seen({ authority: usable(now + 30_000) }),
      cure: 'None',
    },
  ]
  it.each(cases)('$name', ({ seen: observed, cure, reason, says }) => {
    const decision = decide(observed, now)
    expect(decision.cure).toBe(cure)
    if (reason !== undefined) expect(decision.acting[0]?.reason).toBe(reason)
    if (says !== undefined) expect(decision.acting.map(({ message }) => message).join(' ')).toContain(says)
  })

  it('is due in the very moment of its renewal, not before', () => {
    const at = renewalTime({}, leaf.notBefore, leaf.notAfter, base.uid)
    expect([decide(base, at - 1).cure, decide(base, at).cure]).toEqual(['None', 'Issue'])
  })

  it('is due from the renewal time on', () => {
    expect(decide(base, now + 50 * day).cure).toBe('None')
    expect(decide(base, now + 60 * day).cure).toBe('Issue')
    expect(decide(base, now + 200 * day).cure).toBe('Issue')
  })

  it('looks again at a window that cannot be read when the certificate is due', () => {
    const { acting } = decide(unreadable({ secret }), now)
    expect(acting[0]?.until).toBe(renewalTime({}, leaf.notBefore, leaf.notAfter, base.uid))
  })

  it('names every problem, not only the first', () => {
    const decision = decide(
      seen({
        authority: { state: 'missing', message: 'gone' },
        secret: { ...secret, immutable: true },
      }),
      now,
    )
    expect(decision.acting.map(({ reason }) => reason)).toEqual(['AuthorityNotFound', 'SecretImmutable'])
  })

  it('never quotes a password or a key', () => {
    const canary = 'CANARY'
    const said = checks.flatMap((check) => [
      check(seen({ password: { state: 'found', value: canary.slice(0, 5), resourceVersion: '1' } }), now),
      check(
        withSecret({ password: canary, privateKey: Buffer.from(canary), outputsCurrent: false, drift: ['x'] }),
        now,
      ),
    ])
    expect(JSON.stringify(said)).not.toContain('CANAR')
  })

  it('cuts a list of a thousand names short', () => {
    const names = Array.from({ length: 1000 }, (_, i) => ({ type: 'DNS', value: `n${i}.example` }) as const)
    expect(decide(want({ names }), now).acting[0]?.message.length).toBeLessThan(400)
  })
})
