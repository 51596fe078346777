/** What a CertificateAuthority needs now: the same chain of checks answers "sign it?", "write it again?" and "is it Ready?". Pure. */

import { type Check, type Decision, encode, evaluate, type Finding, issue, stall, wait } from '../control/decision.ts'
import { isAhead, toTimestamp } from '../control/schedule.ts'
import { encodeNameConstraints } from '../pki/constraints/name-constraints.ts'
import { formatDistinguishedName } from '../pki/names/names.ts'
import type { NameConstraints } from '../pki/plan.ts'
import type { Observed, SecretSeen } from './observed.ts'
import { parentPresent, parentSigns } from './parent-checks.ts'
import { isPublishedAt } from './published.ts'
import { isGivenUp } from './revoked.ts'
import { isNamed } from './versions.ts'
import type { StoredAuthority } from './stored.ts'
import { dueForRenewal } from './renewal.ts'
import { trustHash } from './trust.ts'
import type { Wanted } from './wanted.ts'

type AuthorityCheck = Check<Observed>
type Present = Extract<SecretSeen, { state: 'present' }>

/** Runs a check only where spec and Secret could both be read. */
const onStored =
  (
    check: (
      wanted: Wanted,
      stored: StoredAuthority,
      secret: Present,
      seen: Observed,
      now: number,
    ) => ReturnType<AuthorityCheck>,
  ): AuthorityCheck =>
  (seen, now) => {
    if (!('wanted' in seen.resolved) || seen.secret.state === 'absent' || !seen.secret.ours) return undefined
    const { stored } = seen.secret
    return stored === undefined ? undefined : check(seen.resolved.wanted, stored, seen.secret, seen, now)
  }

const heldBack: AuthorityCheck = ({ held }) =>
  held === undefined
    ? undefined
    : stall('Held', `Annotation dbtls.dev/hold says "${held.slice(0, 256)}"; nothing is signed until it is removed.`)

const otherOf = ({ secret }: Observed) => (secret.state === 'present' ? secret.stored?.other?.name : undefined)

const certificateRevoked: AuthorityCheck = (seen) => {
  const { revoked, status } = seen
  // What is to be delivered with the next one goes out.
  if (revoked === undefined || isGivenUp(revoked, otherOf(seen))) return undefined
  const serial = status?.certificate?.serialNumber
  return stall(
    'Revoked',
    revoked === 'certificateHold'
      ? `Certificate ${serial} of this authority is on hold; nothing is signed until the hold is taken back.`
      : `Certificate ${serial} of this authority was revoked (${revoked}); nothing is signed any more. To replace it by one with another key, change spec.rotation.trigger, with reason: Compromised where its key is known to others.`,
  )
}

const notImplemented: AuthorityCheck = ({ notImplemented: fields }) =>
  fields.length === 0
    ? undefined
    : stall(
        'NotImplemented',
        `This version does not act on ${fields.join(', ')}; remove ${fields.length > 1 ? 'them' : 'it'}.`,
      )

const requestInvalid: AuthorityCheck = ({ resolved }) =>
  'wanted' in resolved ? undefined : stall('RequestInvalid', resolved.problems.join(' '))

const passphraseMissing: AuthorityCheck = ({ passphrase }) =>
  passphrase?.state === 'missing' ? stall('PassphraseNotFound', passphrase.message) : undefined

const secretBelongsToOthers: AuthorityCheck = ({ secret, resolved, status }) => {
  if (secret.state === 'absent' || secret.ours || !('wanted' in resolved)) return undefined
  const { secretName } = resolved.wanted
  const whose = secret.owner === undefined ? 'was not made by dbtls' : `belongs to ${secret.owner}`
  return stall(
    'SecretInTheWay',
    // What lies there may be the only copy of the key: nobody who has a CA to lose is told to delete it.
    status?.certificate === undefined
      ? `Secret "${secretName}" ${whose} and is left alone. Create the authority anew with another spec.secretName, delete that Secret, or, if it holds the authority to go on with, annotate it with dbtls.dev/adopt: "true".`
      : `Secret "${secretName}" ${whose}, and the key of this authority is not in it. Restore the authority's own Secret from a backup in its place; nothing is signed meanwhile.`,
  )
}

const secretUnreadable: AuthorityCheck = ({ secret, resolved }) => {
  if (secret.state === 'absent' || !secret.ours || secret.problem === undefined || !('wanted' in resolved))
    return undefined
  const { kind, message } = secret.problem
  const { secretName } = resolved.wanted
  return kind === 'PassphraseWrong'
    ? stall(
        'PassphraseWrong',
        `Secret "${secretName}": ${message}. Put the passphrase back; to change it, add the old one beside the new one as "<key>.previous". Nothing is signed meanwhile.`,
      )
    : stall(
        'AuthoritySecretInvalid',
        `Secret "${secretName}" cannot be used: ${message}. Restore it from a backup; nothing is signed and nothing overwritten meanwhile.`,
      )
}

const secretLost: AuthorityCheck = ({ secret, status, resolved }) =>
  secret.state === 'absent' && status?.certificate !== undefined && 'wanted' in resolved
    ? stall(
        'AuthoritySecretMissing',
        `Secret "${resolved.wanted.secretName}" with the key of this authority is gone. Restore it from a backup, or delete and create the authority to begin with a new key.`,
      )
    : undefined

const anotherAuthority = onStored((wanted, stored, _secret, { status }) => {
  const reported = status?.certificate?.publicKeyHash
  if (reported !== undefined && reported === stored.other?.publicKeyHash)
    return wait('Rotating', `Secret "${wanted.secretName}" is one step of a rotation ahead of what status says.`)
  if (reported !== undefined && reported !== stored.publicKeyHash)
    return stall(
      'AuthoritySecretInvalid',
      `Secret "${wanted.secretName}" holds the key of another authority than the one that has signed until now. Restore it; nothing is signed meanwhile.`,
    )
  // The words alone: a CA that was taken over keeps the string types it was made with (openssl writes other ones than we).
  const [held, asked] = [stored.certificate.subject, wanted.subject]
  return isNamed(held, asked)
    ? undefined
    : stall(
        'SecretInTheWay',
        `Secret "${wanted.secretName}" holds the authority "${formatDistinguishedName(held)}", and spec.subject asks for "${formatDistinguishedName(asked)}". Create the authority anew with another spec.secretName, or delete that Secret.`,
      )
})

/** Signed anew with the same key it would not be revoked any more. */
const revokedAndFollowed: AuthorityCheck = (seen) =>
  isGivenUp(seen.revoked, otherOf(seen))
    ? stall(
        'Revoked',
        `This authority was revoked (${seen.revoked}), and signs nothing until the next one does; status.rotation says what that waits for.`,
      )
    : undefined

/** Who may write Secrets could otherwise hand the authority a key of his own, under a forged mark, before it has made one. */
const neverRecorded = onStored((wanted, _stored, { recorded }) =>
  recorded === false
    ? stall(
        'SecretInTheWay',
        `Secret "${wanted.secretName}" holds an authority that is not in the ledger. Delete it; or, if you restored it yourself and trust its key, annotate it with dbtls.dev/adopt: "true".`,
      )
    : undefined,
)

/** While the parent cannot tell, the roots that were reported are the ones to trust. */
const rootsExchanged = onStored((wanted, { trust }, _secret, { parent, status }) => {
  const reported = status?.trustBundleHash
  if (parent === undefined || parent.state === 'usable' || reported === undefined || trustHash(trust) === reported)
    return undefined
  return stall(
    'AuthoritySecretInvalid',
    `Secret "${wanted.secretName}" holds other roots in ca.crt than this authority had. Restore it; nothing is signed meanwhile. ${parent.message}`,
  )
})

const certificateMissing: AuthorityCheck = ({ secret, resolved }) =>
  secret.state === 'absent' && 'wanted' in resolved
    ? issue('Issuing', `Secret "${resolved.wanted.secretName}" does not exist yet.`)
    : undefined

const parentKeyChanged = onStored((_wanted, _stored, secret) =>
  secret.signedByParent === false ? issue('Renewing', 'The authority above has another key.') : undefined,
)

const pathLengthChanged = onStored((wanted, stored) =>
  stored.certificate.pathLength === wanted.maxPathLength
    ? undefined
    : issue('Renewing', 'spec.maxPathLength has changed.'),
)

const constraintsChanged = onStored((wanted, { certificate }) =>
  sameConstraints(certificate.nameConstraints, wanted.nameConstraints)
    ? undefined
    : issue('Renewing', 'spec.nameConstraints has changed.'),
)

const sameConstraints = (a: NameConstraints | undefined, b: NameConstraints | undefined): boolean =>
  a === undefined || b === undefined ? a === b : Buffer.from(encodeNameConstraints(a)).equals(encodeNameConstraints(b))

/** Clients look for the list of the authority above where its certificate says. */
const publishedElsewhere = onStored((_wanted, { certificate }, _secret, { parent }) => {
  if (parent?.state !== 'usable') return undefined
  return isPublishedAt(parent.published, certificate)
    ? undefined
    : issue('Renewing', 'The authority above is published at another address.')
})

const renewalDue = onStored((wanted, stored, _secret, { uid }, now) =>
  dueForRenewal(wanted, stored, uid, now) <= now
    ? issue('Renewing', 'The authority is due for renewal; it keeps its key, name and key identifier.')
    : undefined,
)

/** The clock was set back, or was ahead when the certificate was signed. */
const notYetValid = onStored((_wanted, { certificate }, _secret, _seen, now) =>
  isAhead(certificate.notBefore, now)
    ? issue(
        'Renewing',
        `The authority is not valid before ${toTimestamp(certificate.notBefore)}, and it is ${toTimestamp(now)}; it keeps its key, name and key identifier.`,
      )
    : undefined,
)

const outputsDiffer = onStored((wanted, stored, secret) => {
  const keys = [stored, ...(stored.other?.pkcs8 === undefined ? [] : [stored.other])]
  if (keys.some(({ encryptedWith }) => wanted.encrypted !== (encryptedWith === 'passphrase')))
    return encode('Encoding', 'The private key is not kept under the present passphrase.')
  if (secret.chainChanged) return encode('Encoding', 'The authorities above have new certificates.')
  return secret.drift.length === 0
    ? undefined
    : encode('Encoding', `Secret "${wanted.secretName}" differs in ${secret.drift.join(', ')}.`)
})

export const checks: readonly AuthorityCheck[] = [
  heldBack, // Stall  somebody says so
  certificateRevoked, // Stall  whoever checks would refuse what it signs
  notImplemented, // Stall  a field that a later version acts on
  requestInvalid, // Stall
  passphraseMissing, // Stall  until the Secret exists
  secretBelongsToOthers, // Stall
  secretUnreadable, // Stall  no signing, nothing overwritten
  secretLost, // Stall  a new key would not be trusted by anybody
  anotherAuthority, // Stall  never a silent switch
  neverRecorded, // Stall  never a key of unknown origin
  rootsExchanged, // Stall  never roots of unknown origin
  certificateMissing, // Issue  the first one
  parentKeyChanged, // Issue  same key, signed again
  pathLengthChanged, // Issue  same key
  constraintsChanged, // Issue  same key
  publishedElsewhere, // Issue  same key
  renewalDue, // Issue  same key
  notYetValid, // Issue  same key; signed under a clock that was ahead
  outputsDiffer, // Encode passphrase, chain, tampering
]

export const decide = (seen: Observed, now: number): Decision => {
  const decision = evaluate(checks, seen, now)
  if (decision.cure === 'Issue')
    return evaluate([...checks, revokedAndFollowed, ...parentPresent, ...parentSigns], seen, now)
  // Without a certificate of its own on record, only the parent can say whether the one in the Secret is the right one.
  return seen.status?.certificate === undefined ? evaluate([...checks, ...parentPresent], seen, now) : decision
}

/** What makes the material of a CA untouchable, whatever is to be done with it; nothing of what it signs. */
const materialChecks: readonly AuthorityCheck[] = [
  heldBack,
  requestInvalid,
  passphraseMissing,
  secretBelongsToOthers,
  secretUnreadable,
  secretLost,
  anotherAuthority,
  neverRecorded,
  rootsExchanged,
]

/** Of a step of a rotation: who has been revoked, or has ended, may be replaced all the same. */
export const materialProblem = (seen: Observed, now: number): Finding | undefined => {
  const { cure, acting } = evaluate(materialChecks, seen, now)
  return cure === 'Stall' ? acting[0] : undefined
}

/** Why the authority above signs nothing for this one; undefined for a root. */
export const signingProblem = (seen: Observed, now: number): Finding | undefined =>
  evaluate([...parentPresent, ...parentSigns], seen, now).acting[0]
