import { describe, expect, it } from 'vitest'
import { distinguishedName } from '../pki/names/names.ts'
import { nameConstraints } from '../pki/constraints/name-constraints.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { NameConstraints } from '../pki/plan.ts'
import { decide } from './decide.ts'
import type { AuthorityMaterial } from './keyring.ts'
import type { Observed, ParentSeen, SecretSeen } from './observed.ts'
import { StoredAuthorityError, type StoredAuthority } from './stored.ts'
import { trustHash } from './trust.ts'
import type { Wanted } from './wanted.ts'

const day = 24 * 3_600_000
const now = Date.parse('2026-11-21T00:00:00Z')

const wanted: Wanted = {
  secretName: 'orders-ca',
  subject: distinguishedName({ commonName: 'Orders CA' }),
  keyAlgorithm: { algorithm: 'ECDSA', size: 256 },
  duration: 3650 * day,
  renewal: { renewBefore: 365 * day },
  replaced: false,
  asked: false,
  maxPathLength: 0,
  nameConstraints: undefined,
  parent: undefined,
  encrypted: false,
}

const stored: StoredAuthority = {
  certificate: {
    subject: wanted.subject,
    pathLength: 0,
    crlDistributionPoints: [],
    caIssuers: [],
    notBefore: now - day,
    notAfter: now + 3649 * day,
    serialNumber: '0A',
  } as unknown as ParsedCertificate,
  chain: [],
  trust: [],
  pkcs8: new Uint8Array([1]),
  encryptedWith: 'nothing',
  stage: 'Plain',
  publicKeyHash: 'key',
}

type Present = Extract<SecretSeen, { state: 'present' }>
const secret: Present = {
  state: 'present',
  uid: 'u',
  resourceVersion: '1',
  ours: true,
  owner: 'CertificateAuthority/orders',
  stored,
  problem: undefined,
  drift: [],
  signedByParent: undefined,
  chainChanged: false,
  recorded: undefined,
}

const base: Observed = {
  name: 'CertificateAuthority data/orders',
  uid: 'uid',
  notImplemented: [],
  resolved: { wanted },
  status: undefined,
  passphrase: undefined,
  parent: undefined,
  secret,
}

const parent = (
  pathLength: number | undefined,
  notAfter = now + 9999 * day,
  more: Partial<Extract<ParentSeen, { state: 'usable' }>> & {
    constraints?: NameConstraints[]
    notBefore?: number
  } = {},
): ParentSeen => {
  const { constraints = [], notBefore = now - day, ...rest } = more
  const subject = distinguishedName({ commonName: 'Root', organizations: ['Acme'] })
  return {
    state: 'usable',
    uid: 'root',
    material: {
      signer: { pathLength, nameConstraints: constraints, subject, notBefore },
      certificate: { notAfter },
    } as unknown as AuthorityMaterial,
    policy: undefined,
    published: undefined,
    ...rest,
  }
}

const seen = (change: Partial<Observed>): Observed => ({ ...base, ...change })
const followed: StoredAuthority = {
  ...stored,
  stage: 'Next',
  other: { name: 'next', certificate: stored.certificate, chain: [], encryptedWith: 'nothing', publicKeyHash: 'next' },
}

const withSecret = (change: Partial<Present>): Observed => seen({ secret: { ...secret, ...change } })
const constraintsTo = (...dnsDomains: string[]): NameConstraints =>
  nameConstraints({ permitted: { dnsDomains } }) as NameConstraints
const signedAt = (caIssuer: string): Present => ({
  ...secret,
  stored: {
    ...stored,
    certificate: { ...stored.certificate, authorityKeyId: Uint8Array.of(7), caIssuers: [caIssuer] },
  },
})
const child: Wanted = { ...wanted, parent: { namespace: 'pki', name: 'root' } }
const absent = { state: 'absent' } as const
const reported = {
  certificate: { publicKeyHash: 'key' },
  trustBundleHash: trustHash([]),
} as unknown as Observed['status']
const problem = (kind: 'Invalid' | 'PassphraseWrong'): StoredAuthorityError =>
  new StoredAuthorityError(kind, 'it is so')

describe('decide', () => {
  const cases: { name: string; seen: Observed; cure: string; reason?: string }[] = [
    { name: 'nothing to do when all is as asked', seen: base, cure: 'None' },
    {
      name: 'one that begins far ahead is signed anew',
      seen: withSecret({
        stored: { ...stored, certificate: { ...stored.certificate, notBefore: now + 10 * 60_000 + 1 } },
      }),
      cure: 'Issue',
      reason: 'Renewing',
    },
    {
      name: 'one that begins a little ahead is left alone',
      seen: withSecret({ stored: { ...stored, certificate: { ...stored.certificate, notBefore: now + 10 * 60_000 } } }),
      cure: 'None',
    },
    {
      name: 'a parent that is not valid yet is waited for',
      seen: seen({
        secret: absent,
        resolved: { wanted: child },
        parent: parent(1, undefined, { notBefore: now + 1000 }),
      }),
      cure: 'Wait',
      reason: 'AuthorityNotReady',
    },
    {
      name: 'other name constraints are signed anew',
      seen: seen({ resolved: { wanted: { ...wanted, nameConstraints: constraintsTo('svc') } } }),
      cure: 'Issue',
      reason: 'Renewing',
    },
    {
      name: 'the same name constraints are not',
      seen: seen({
        resolved: { wanted: { ...wanted, nameConstraints: constraintsTo('svc') } },
        secret: {
          ...secret,
          stored: { ...stored, certificate: { ...stored.certificate, nameConstraints: constraintsTo('svc') } },
        },
      }),
      cure: 'None',
    },
    {
      name: 'another address of the parent is signed in',
      seen: seen({
        resolved: { wanted: child },
        parent: parent(1, undefined, { published: { base: 'http://pki/ca/pki/root', lists: false } }),
      }),
      cure: 'Issue',
      reason: 'Renewing',
    },
    {
      name: 'the address of the key that signed it is not, whoever signs now',
      seen: seen({
        resolved: { wanted: child },
        parent: parent(1, undefined, { published: { base: 'http://pki/ca/pki/root', lists: false } }),
        secret: signedAt('http://pki/ca/pki/root/07.cer'),
      }),
      cure: 'None',
    },
    {
      name: 'nor is that of the CA alone, from before there was one for each key',
      seen: seen({
        resolved: { wanted: child },
        parent: parent(1, undefined, { published: { base: 'http://pki/ca/pki/root', lists: false } }),
        secret: signedAt('http://pki/ca/pki/root.cer'),
      }),
      cure: 'None',
    },
    {
      name: 'constraints wider than those above stall',
      seen: seen({
        secret: absent,
        resolved: { wanted: { ...child, nameConstraints: constraintsTo('svc') } },
        parent: parent(1, undefined, { constraints: [constraintsTo('data.svc')] }),
      }),
      cure: 'Stall',
      reason: 'NameConstraintViolation',
    },
    {
      name: 'constraints within those above are signed',
      seen: seen({
        secret: absent,
        resolved: { wanted: { ...child, nameConstraints: constraintsTo('data.svc') } },
        parent: parent(1, undefined, { constraints: [constraintsTo('svc')] }),
      }),
      cure: 'Issue',
    },
    {
      name: 'a subject that the constraints above do not allow stalls',
      seen: seen({
        secret: absent,
        resolved: { wanted: { ...child, subject: distinguishedName({ commonName: 'ca.example.com' }) } },
        parent: parent(1, undefined, { constraints: [constraintsTo('svc')] }),
      }),
      cure: 'Stall',
      reason: 'NameConstraintViolation',
    },
    {
      name: 'a subject that the policy above refuses stalls',
      seen: seen({
        secret: absent,
        resolved: { wanted: child },
        parent: parent(1, undefined, { policy: { subject: { organizations: 'Match', commonName: 'Supplied' } } }),
      }),
      cure: 'Stall',
      reason: 'PolicyViolation',
    },
    {
      name: 'a key that the policy above refuses stalls',
      seen: seen({
        secret: absent,
        resolved: { wanted: child },
        parent: parent(1, undefined, { policy: { privateKey: { algorithms: ['RSA'] } } }),
      }),
      cure: 'Stall',
      reason: 'PolicyViolation',
    },
    {
      name: 'a policy that came later does not disturb a living intermediate',
      seen: seen({
        resolved: { wanted: child },
        parent: parent(1, undefined, { policy: { privateKey: { algorithms: ['RSA'] } } }),
        status: reported,
      }),
      cure: 'None',
    },
    {
      name: 'a field of a later version stalls',
      seen: seen({ notImplemented: ['spec.policy'] }),
      cure: 'Stall',
      reason: 'NotImplemented',
    },
    {
      name: 'what somebody holds stalls, even where nothing is due',
      seen: seen({ held: 'being restored' }),
      cure: 'Stall',
      reason: 'Held',
    },
    {
      name: 'what somebody holds is not made',
      seen: seen({ held: '', secret: absent }),
      cure: 'Stall',
      reason: 'Held',
    },
    {
      name: 'a CA that was revoked signs nothing, even where it has to be renewed',
      seen: seen({ revoked: 'cACompromise', secret: absent }),
      cure: 'Stall',
      reason: 'Revoked',
    },
    {
      name: 'a CA that was revoked, with the next one at hand, has delivered what it has',
      seen: seen({ revoked: 'cACompromise', secret: { ...secret, stored: followed, drift: ['its contents'] } }),
      cure: 'Encode',
      reason: 'Encoding',
    },
    {
      name: 'a CA that was revoked, with the next one at hand, is not signed anew',
      seen: seen({
        revoked: 'cACompromise',
        resolved: { wanted: { ...wanted, maxPathLength: 1 } },
        secret: { ...secret, stored: followed },
      }),
      cure: 'Stall',
      reason: 'Revoked',
    },
    {
      name: 'a CA on hold is not given up for the next one',
      seen: seen({ revoked: 'certificateHold', secret: { ...secret, stored: followed } }),
      cure: 'Stall',
      reason: 'Revoked',
    },
    {
      name: 'a CA on hold waits for its release',
      seen: seen({ revoked: 'certificateHold' }),
      cure: 'Stall',
      reason: 'Revoked',
    },
    {
      name: 'a subject that cannot be encoded stalls',
      seen: seen({ resolved: { problems: ['spec.subject: no.'] } }),
      cure: 'Stall',
      reason: 'RequestInvalid',
    },
    {
      name: 'a missing passphrase stalls',
      seen: seen({ passphrase: { state: 'missing', message: 'no' } }),
      cure: 'Stall',
      reason: 'PassphraseNotFound',
    },
    {
      name: 'a foreign Secret is left alone',
      seen: withSecret({ ours: false, owner: undefined }),
      cure: 'Stall',
      reason: 'SecretInTheWay',
    },
    {
      name: 'an unreadable Secret is not overwritten',
      seen: withSecret({ stored: undefined, problem: problem('Invalid') }),
      cure: 'Stall',
      reason: 'AuthoritySecretInvalid',
    },
    {
      name: 'a wrong passphrase stalls',
      seen: withSecret({ stored: undefined, problem: problem('PassphraseWrong') }),
      cure: 'Stall',
      reason: 'PassphraseWrong',
    },
    {
      name: 'a lost key is not replaced by a new one',
      seen: seen({ secret: absent, status: reported }),
      cure: 'Stall',
      reason: 'AuthoritySecretMissing',
    },
    {
      name: "another CA's key is never switched to",
      seen: seen({ status: { certificate: { publicKeyHash: 'old' } } as unknown as Observed['status'] }),
      cure: 'Stall',
      reason: 'AuthoritySecretInvalid',
    },
    {
      name: 'a kept Secret of another name is not taken for this CA',
      seen: seen({ resolved: { wanted: { ...wanted, subject: distinguishedName({ commonName: 'X' }) } } }),
      cure: 'Stall',
      reason: 'SecretInTheWay',
    },
    { name: 'the first certificate is issued', seen: seen({ secret: absent }), cure: 'Issue', reason: 'Issuing' },
    {
      name: 'another path length signs anew',
      seen: seen({ resolved: { wanted: { ...wanted, maxPathLength: 1 } } }),
      cure: 'Issue',
      reason: 'Renewing',
    },
    {
      name: 'a parent with another key signs anew',
      seen: seen({ resolved: { wanted: child }, parent: parent(1), secret: { ...secret, signedByParent: false } }),
      cure: 'Issue',
      reason: 'Renewing',
    },
    {
      name: 'a renewed parent is only taken into the chain',
      seen: seen({
        resolved: { wanted: child },
        parent: parent(1),
        secret: { ...secret, signedByParent: true, chainChanged: true },
      }),
      cure: 'Encode',
    },
    {
      name: 'a new passphrase encrypts the same key again',
      seen: seen({ resolved: { wanted: { ...wanted, encrypted: true } } }),
      cure: 'Encode',
    },
    {
      name: 'the passphrase before is replaced',
      seen: seen({
        resolved: { wanted: { ...wanted, encrypted: true } },
        secret: { ...secret, stored: { ...stored, encryptedWith: 'previousPassphrase' } },
      }),
      cure: 'Encode',
    },
    { name: 'a removed label is put back', seen: withSecret({ drift: ['label'] }), cure: 'Encode' },
    {
      name: 'a missing parent stalls a first signature',
      seen: seen({ resolved: { wanted: child }, parent: { state: 'missing', message: 'no' }, secret: absent }),
      cure: 'Stall',
      reason: 'AuthorityNotFound',
    },
    {
      name: 'a missing parent does not disturb a living intermediate',
      seen: seen({ resolved: { wanted: child }, parent: { state: 'missing', message: 'no' }, status: reported }),
      cure: 'None',
    },
    {
      name: 'without its parent an intermediate that has reported nothing is not taken up',
      seen: seen({ resolved: { wanted: child }, parent: { state: 'notReady', message: 'soon' } }),
      cure: 'Wait',
      reason: 'AuthorityNotReady',
    },
    {
      name: 'roots exchanged while the parent is away are not trusted',
      seen: seen({
        resolved: { wanted: child },
        parent: { state: 'notReady', message: 'soon' },
        status: reported,
        secret: { ...secret, stored: { ...stored, trust: [new Uint8Array([1])] } },
      }),
      cure: 'Stall',
      reason: 'AuthoritySecretInvalid',
    },
    {
      name: 'roots exchanged under the eyes of the parent are written again',
      seen: seen({
        resolved: { wanted: child },
        parent: parent(1),
        status: reported,
        secret: {
          ...secret,
          signedByParent: true,
          chainChanged: true,
          stored: { ...stored, trust: [new Uint8Array([1])] },
        },
      }),
      cure: 'Encode',
    },
    {
      name: 'a key that is not in the ledger is not taken up',
      seen: withSecret({ recorded: false }),
      cure: 'Stall',
      reason: 'SecretInTheWay',
    },
    { name: 'a kept key that is in the ledger is found again', seen: withSecret({ recorded: true }), cure: 'None' },
    {
      name: 'a parent that is not ready is waited for',
      seen: seen({ resolved: { wanted: child }, parent: { state: 'notReady', message: 'soon' }, secret: absent }),
      cure: 'Wait',
      reason: 'AuthorityNotReady',
    },
    {
      name: 'a parent without path length left refuses',
      seen: seen({ resolved: { wanted: child }, parent: parent(0), secret: absent }),
      cure: 'Stall',
      reason: 'RequestInvalid',
    },
    {
      name: 'a parent with path length 1 signs a CA of 0',
      seen: seen({ resolved: { wanted: child }, parent: parent(1), secret: absent }),
      cure: 'Issue',
    },
    {
      name: 'a parent with path length 1 refuses a CA of 1',
      seen: seen({ resolved: { wanted: { ...child, maxPathLength: 1 } }, parent: parent(1), secret: absent }),
      cure: 'Stall',
      reason: 'RequestInvalid',
    },
    {
      name: 'a parent without limit signs any CA',
      seen: seen({
        resolved: { wanted: { ...child, maxPathLength: undefined } },
        parent: parent(undefined),
        secret: absent,
      }),
      cure: 'Issue',
    },
    {
      name: 'a parent near its end does not sign',
      seen: seen({ resolved: { wanted: child }, parent: parent(1, now + 300 * day), secret: absent }),
      cure: 'Stall',
      reason: 'AuthorityExpiring',
    },
  ]
  it.each(cases)('$name', ({ seen: observed, cure, reason }) => {
    const decision = decide(observed, now)
    expect(decision.cure).toBe(cure)
    if (reason !== undefined) expect(decision.acting[0]?.reason).toBe(reason)
  })

  it('is renewed with the same key before it ends, and also after', () => {
    expect(decide(base, now + 3000 * day).cure).toBe('None')
    expect(decide(base, now + 3300 * day).acting[0]?.reason).toBe('Renewing')
    expect(decide(base, now + 9000 * day).acting[0]?.reason).toBe('Renewing')
  })
})
