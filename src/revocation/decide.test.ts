import { describe, expect, it } from 'vitest'
import { entryOf } from '../ledger/testing.ts'
import type { ParsedRevocationList } from '../pki/revocation/revocation-list.ts'
import { decide } from './decide.ts'
import type { Observed, StoredSeen } from './observed.ts'

const day = 24 * 3_600_000
const now = Date.parse('2026-11-21T00:00:00Z')
const key = { keyId: 'aa', publicKeyHash: 'h' }

const list = (change: Partial<ParsedRevocationList> = {}): ParsedRevocationList => ({
  der: new Uint8Array(),
  issuer: new Uint8Array(),
  thisUpdate: now - day,
  nextUpdate: now + 9 * day,
  number: 4n,
  revoked: [],
  unknownCritical: [],
  fingerprint: '',
  tbs: new Uint8Array(),
  signatureAlgorithm: new Uint8Array(),
  signature: new Uint8Array(),
  ...change,
})

const { nextUpdate: end, ...endless } = list()

type Present = Extract<StoredSeen, { state: 'present' }>
const present: Present = {
  state: 'present',
  uid: 'm',
  resourceVersion: '7',
  ours: true,
  owner: 'CertificateAuthority/ca',
  list: list(),
  newest: undefined,
  other: undefined,
  former: [],
  drift: [],
}

const base: Observed = {
  name: 'CertificateAuthority data/ca',
  uid: 'ca-uid',
  listName: 'ca-crl',
  policy: { durationMs: 10 * day, renewBeforeMs: 3 * day },
  status: { number: 4, thisUpdate: '', nextUpdate: '', entries: 0, contentHash: 'x' },
  key,
  other: undefined,
  signer: { state: 'usable', notBefore: now - 100 * day, notAfter: now + 100 * day, mayIssue: true },
  stored: present,
  ledger: [],
  tried: undefined,
  mayAct: true,
}
const seen = (change: Partial<Observed>): Observed => ({ ...base, ...change })
const stored = (change: Partial<Present>): Observed => seen({ stored: { ...present, ...change } })
const revoked = (reason: 'keyCompromise' | 'certificateHold', notAfter = now + day) =>
  entryOf('0A', {
    state: 'Revoked',
    authorityKeyId: 'aa',
    notAfter,
    revocation: { reason, time: undefined, invalidityTime: undefined, seenAt: undefined },
  })
const listed = (reason: 'keyCompromise' | 'certificateHold') =>
  list({ revoked: [{ serialNumber: '0A', revokedAt: now - day, reason }] })

it('the lists of these tests have an end', () => {
  expect(end).toBeGreaterThan(now)
})

describe('the decision about a revocation list', () => {
  const cases: { name: string; seen: Observed; says: string }[] = [
    { name: 'a list that says all of the ledger stays', seen: base, says: 'Keep' },
    { name: 'a CA without a certificate has none yet', seen: seen({ key: undefined }), says: 'Wait AuthorityNotReady' },
    {
      name: 'of a CA that is held, none is made',
      seen: seen({ mayAct: false, stored: { state: 'absent' }, status: undefined }),
      says: 'Wait Held',
    },
    {
      name: 'the first list is made',
      seen: seen({ stored: { state: 'absent' }, status: undefined }),
      says: 'Issue There is no list yet.',
    },
    {
      name: 'a deleted list is made again',
      seen: seen({ stored: { state: 'absent' } }),
      says: 'Issue ConfigMap "ca-crl" was deleted.',
    },
    {
      name: 'a ConfigMap of somebody else is left alone',
      seen: stored({ ours: false, owner: undefined }),
      says: 'Stall ConfigMapInTheWay',
    },
    {
      name: 'that of another CA is, too',
      seen: stored({ ours: false, owner: 'CertificateAuthority/x' }),
      says: 'Stall ConfigMapInTheWay',
    },
    {
      name: 'what the key did not sign is replaced',
      seen: stored({ list: undefined }),
      says: 'Issue ConfigMap "ca-crl" holds no list',
    },
    {
      name: 'a list without an end is replaced',
      seen: stored({ list: endless }),
      says: 'Issue ConfigMap "ca-crl" holds no list',
    },
    {
      name: 'an old list of ours that was brought back is replaced',
      seen: stored({ list: list({ number: 3n }) }),
      says: 'Issue ConfigMap "ca-crl" holds a list older',
    },
    { name: 'a list newer than the status is believed', seen: stored({ list: list({ number: 5n }) }), says: 'Keep' },
    {
      name: 'a changed ConfigMap is written again',
      seen: stored({ drift: ['its contents'] }),
      says: 'Issue ConfigMap "ca-crl" differs in its contents.',
    },
    {
      name: 'a revocation is listed',
      seen: seen({ ledger: [revoked('keyCompromise')] }),
      says: 'Issue Since the last list a certificate has been revoked.',
    },
    {
      name: 'what is listed is not listed again',
      seen: seen({ ledger: [revoked('keyCompromise')], stored: { ...present, list: listed('keyCompromise') } }),
      says: 'Keep',
    },
    {
      name: 'another reason is',
      seen: seen({ ledger: [revoked('keyCompromise')], stored: { ...present, list: listed('certificateHold') } }),
      says: 'Issue Since the last list a certificate has been revoked for another reason.',
    },
    {
      name: 'a hold taken back is',
      seen: stored({ list: listed('certificateHold') }),
      says: 'Issue Since the last list a certificate has been taken off hold.',
    },
    {
      name: 'a final revocation whose entry is gone is not',
      seen: stored({ list: listed('keyCompromise') }),
      says: 'Keep',
    },
    {
      name: 'a certificate that had ended before the list is not',
      seen: seen({ ledger: [revoked('keyCompromise', now - 2 * day)] }),
      says: 'Keep',
    },
    {
      name: 'the certificate of another key is not',
      seen: seen({ ledger: [{ ...revoked('keyCompromise'), authorityKeyId: 'bb' }] }),
      says: 'Keep',
    },
    {
      name: 'a list that is due is made anew',
      seen: stored({ list: list({ nextUpdate: now + 3 * day }) }),
      says: 'Issue The last list is due for renewal.',
    },
    { name: 'one that is not is left', seen: stored({ list: list({ nextUpdate: now + 4 * day }) }), says: 'Keep' },
    {
      name: 'a list that lasts longer than the spec says is made anew',
      seen: stored({ list: list({ nextUpdate: now + 31 * day }) }),
      says: 'Issue spec.crl.duration is shorter',
    },
    {
      name: 'a list from the future is made anew',
      seen: stored({ list: list({ thisUpdate: now + day, nextUpdate: now + 9 * day }) }),
      says: 'Issue The last list is from the future',
    },
  ]
  it.each(cases)('$name', ({ seen: of, says }) => {
    const verdict = decide(of, now)
    const text = 'why' in verdict ? verdict.why : 'reason' in verdict ? verdict.reason : ''
    expect(`${verdict.verdict} ${text}`.trim().startsWith(says)).toBe(true)
  })

  const due = stored({ list: list({ nextUpdate: now + day }) })
  it.each([
    {
      name: 'a passphrase is wrong',
      signer: { state: 'unusable', message: 'the passphrase does not open it' },
      says: /does not open it\. The last list stays, and is valid until 2026-11-22T00:00:00Z/,
    },
    {
      name: 'the CA has ended',
      signer: { state: 'usable', notBefore: 0, notAfter: now - 1, mayIssue: true },
      says: /ended at 2026-11-20T23:59:59Z/,
    },
    {
      name: 'the CA is not valid yet',
      signer: { state: 'usable', notBefore: now + 1000, notAfter: now + day, mayIssue: true },
      says: /not valid before/,
    },
    {
      name: 'the CA may not',
      signer: { state: 'usable', notBefore: 0, notAfter: now + day, mayIssue: false },
      says: /cRLSign/,
    },
  ] as const)('says why no list can be made where $name, and touches nothing', ({ signer, says }) => {
    expect(decide({ ...due, signer }, now)).toMatchObject({
      verdict: 'Stall',
      reason: 'RevocationListNotSigned',
      message: expect.stringMatching(says),
    })
    // What needs nothing is not disturbed.
    expect(decide({ ...base, signer }, now).verdict).toBe('Keep')
  })
})
