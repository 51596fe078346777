/**
 * What a DatabaseCertificate needs now: an ordered chain of checks over what was seen. The same chain answers "must it be
 * issued?", "must the Secret only be written again?" and "is it Ready?", so that the three cannot disagree. Pure.
 */

import { type Check, type Decision, encode, evaluate, issue, stall } from '../control/decision.ts'
import { isAhead, toTimestamp } from '../control/schedule.ts'
import { itemProblems } from '../material/contents.ts'
import { passwordProblem } from '../material/passwords.ts'
import { algorithmOfSpki } from '../pki/keys/keys.ts'
import { formatDistinguishedName } from '../pki/names/names.ts'
import type { GeneralName } from '../pki/plan.ts'
import type { Observed, SecretSeen } from './observed.ts'
import { asksForRenewal } from './renew-trigger.ts'
import { isTime, renewalOf, renewalReason, windowsProblem } from './renewal.ts'
import { signingChecks, writingChecks } from './signing-checks.ts'
import { isSameSubject, mayDoAsMuch, namesItsSubjectOnly, normalNames } from './taken-over.ts'
import type { Wanted } from './wanted.ts'

type CertificateCheck = Check<Observed>
type Present = Extract<SecretSeen, { state: 'present' }>

/** Runs a check only where the spec could be resolved and our Secret holds a certificate with its key. */
const onCertificate =
  (
    check: (
      wanted: Wanted,
      secret: Present & { leaf: NonNullable<Present['leaf']> },
      seen: Observed,
      now: number,
    ) => ReturnType<CertificateCheck>,
  ): CertificateCheck =>
  (seen, now) => {
    if (!('wanted' in seen.resolved) || seen.secret.state === 'absent' || !seen.secret.ours) return undefined
    const { leaf } = seen.secret
    return leaf === undefined ? undefined : check(seen.resolved.wanted, { ...seen.secret, leaf }, seen, now)
  }

const requestInvalid: CertificateCheck = ({ resolved, request }) =>
  'wanted' in resolved
    ? undefined
    : stall(request?.state === 'missing' ? 'RequestNotFound' : 'RequestInvalid', resolved.problems.join(' '))

const commonNameTaken: CertificateCheck = ({ commonNameHolder }) =>
  commonNameHolder === undefined
    ? undefined
    : stall(
        'CommonNameTaken',
        `Its common name has passed to ${commonNameHolder}, which is newer: the CA gives each name to one certificate (policy.uniqueCommonName). Choose another name, or delete one of the two.`,
      )

/** Never at the cost of the certificate: one that is due is renewed at once, as if there were no windows. */
const windowsUnreadable: CertificateCheck = ({ resolved, secret, uid }, now) => {
  if (!('wanted' in resolved) || resolved.wanted.windows === undefined) return undefined
  const problem = windowsProblem(resolved.wanted)
  if (problem === undefined) return undefined
  if (secret.state === 'present' && secret.due !== undefined) return undefined
  if (secret.state === 'absent' || !secret.ours || secret.leaf === undefined) return stall('RequestInvalid', problem)
  const { due } = renewalOf(resolved.wanted, secret.leaf, uid, now)
  return now < due ? { ...stall('RequestInvalid', problem), until: due } : undefined
}

const authorityMissing: CertificateCheck = ({ authority }) =>
  authority.state === 'missing' ? stall('AuthorityNotFound', authority.message) : undefined

const authorityRefuses: CertificateCheck = ({ authority }) =>
  authority.state === 'refused' ? stall('AuthorityNotAllowed', authority.message) : undefined

const secretBelongsToOthers: CertificateCheck = ({ secret, resolved }) => {
  if (secret.state === 'absent' || secret.ours || !('wanted' in resolved)) return undefined
  const { name } = resolved.wanted.secret
  return stall(
    'SecretInTheWay',
    secret.owner === undefined
      ? `Secret "${name}" was not made by dbtls and is left alone. Choose another spec.secret.name, delete it, or annotate that Secret with dbtls.dev/adopt: "true".`
      : `Secret "${name}" belongs to ${secret.owner}. Choose another spec.secret.name.`,
  )
}

const secretTypeDiffers: CertificateCheck = ({ secret, resolved }) => {
  if (secret.state === 'absent' || !secret.ours || !('wanted' in resolved)) return undefined
  const { name, type } = resolved.wanted.secret
  return secret.type === type
    ? undefined
    : stall(
        'SecretTypeChanged',
        `Secret "${name}" is of type ${secret.type}, and Kubernetes cannot change that to ${type}. Delete the Secret to have it made anew, or set spec.secret.type back. Until then it is left as it is.`,
      )
}

const secretImmutable: CertificateCheck = ({ secret, resolved }) =>
  secret.state === 'present' && secret.ours && secret.immutable && 'wanted' in resolved
    ? stall(
        'SecretImmutable',
        `Secret "${resolved.wanted.secret.name}" is immutable, so it cannot be renewed. Delete it to have it made anew.`,
      )
    : undefined

const passwordMissing: CertificateCheck = ({ password }) =>
  password?.state === 'missing' ? stall('PasswordSecretNotFound', password.message) : undefined

const passwordUnfit: CertificateCheck = ({ password }) => {
  if (password?.state !== 'found') return undefined
  const problem = passwordProblem(password.value)
  return problem === undefined
    ? undefined
    : stall('PasswordInvalid', `The password of spec.keystore.passwordSecretRef cannot be used: ${problem}`)
}

const keyExportRefused: CertificateCheck = ({ authorityKey }) =>
  authorityKey?.state === 'refused' ? stall('KeyExportNotAllowed', authorityKey.message) : undefined

/** The form of the authority's key is known only when the authority is. */
const authorityKeyUnfit: CertificateCheck = ({ authority, resolved }) => {
  if (authority.state !== 'usable' || !('wanted' in resolved)) return undefined
  const { secret, keyAlgorithm, keyEncoding: encoding, pkcs12Profile } = resolved.wanted
  const exported = secret.items.filter(({ content }) => content === 'AuthorityPrivateKey')
  if (exported.length === 0) return undefined
  const { algorithm } = algorithmOfSpki(authority.material.certificate.spki) ?? {}
  const have = { privateKey: true, keyAlgorithm: keyAlgorithm.algorithm, authorityKeyAlgorithm: algorithm }
  const [problem] = itemProblems(exported, have, { encoding, pkcs12Profile })
  return problem === undefined
    ? undefined
    : stall(
        'RequestInvalid',
        `Key "${exported[0]?.key}" of the Secret is to hold the private key of ${authority.name}: ${problem.replace(/^items\[\d+\]\./, '')} Or take another layout.`,
      )
}

const certificateMissing: CertificateCheck = ({ secret, resolved }) => {
  if (!('wanted' in resolved)) return undefined
  if (resolved.wanted.withoutCertificate) return undefined
  const { name } = resolved.wanted.secret
  if (secret.state === 'absent') return issue('Issuing', `Secret "${name}" does not exist yet.`)
  if (!secret.ours) return undefined
  if (secret.due !== undefined) return issue('Renewing', secret.due)
  return secret.leaf === undefined ? issue('Issuing', `Secret "${name}" holds no readable certificate.`) : undefined
}

const onHold = onCertificate((_wanted, { leaf }, { entry }) =>
  entry?.state === 'Revoked' && entry.reason === 'certificateHold'
    ? stall(
        'OnHold',
        `Certificate ${leaf.serialNumber} is on hold, which verifiers take for revoked. It is used again when the hold is taken back: remove spec.revocation of its IssuedCertificate. To have another one instead, give a final reason there.`,
      )
    : undefined,
)

/** A new certificate for a key that others have would be of no use. */
const requestCompromised = onCertificate((wanted, { leaf }, { entry }) =>
  isCompromised(entry) && wanted.request !== undefined && Buffer.compare(wanted.request.spki, leaf.spki) === 0
    ? stall(
        'KeyInUse',
        `Certificate ${leaf.serialNumber} was revoked because its key is known to others, and spec.request is for that key; make another key, and a request with it.`,
      )
    : undefined,
)

const revoked = onCertificate((_wanted, { leaf }, { entry }) =>
  entry?.state === 'Revoked' && entry.reason !== 'certificateHold'
    ? issue('Issuing', `Certificate ${leaf.serialNumber} was revoked (${entry.reason}).`)
    : undefined,
)

const keyNotRequested = onCertificate(({ request }, { leaf }) =>
  request === undefined || Buffer.compare(request.spki, leaf.spki) === 0
    ? undefined
    : issue('Issuing', 'The certificate is not for the key of spec.request.'),
)

const keyNotOurs = onCertificate((wanted, secret) =>
  secret.privateKey === undefined && wanted.request === undefined
    ? issue('Issuing', `Secret "${wanted.secret.name}" holds no private key that belongs to its certificate.`)
    : undefined,
)

const keyAlgorithmChanged = onCertificate((wanted, secret) => {
  if (secret.privateKey === undefined) return undefined
  const [is, should] = [describeKey(secret.keyAlgorithm), describeKey(wanted.keyAlgorithm)]
  return is === should ? undefined : issue('Issuing', `The key is ${is} and should be ${should}.`)
})

const signerChanged = onCertificate((_wanted, secret, { authority }) =>
  authority.state === 'usable' && secret.signedByAuthority === false && !secret.waits
    ? issue('Issuing', `The certificate was not signed by the present key of the authority.`)
    : undefined,
)

const subjectChanged = onCertificate((wanted, secret) =>
  Buffer.from(wanted.subject).equals(secret.leaf.subject) ||
  (secret.takenOver && isSameSubject(wanted.subject, secret.leaf))
    ? undefined
    : issue(
        'Issuing',
        `The subject is "${formatDistinguishedName(secret.leaf.subject)}" and should be "${formatDistinguishedName(wanted.subject)}".`,
      ),
)

const namesChanged = onCertificate((wanted, secret) => {
  const { subjectAlternativeNames: names } = secret.leaf
  if (secret.takenOver && namesItsSubjectOnly(wanted, secret.leaf)) return undefined
  const [has, should] = [nameSet(secret.takenOver ? normalNames(names) : names), nameSet(wanted.names)]
  const missing = [...should].filter((name) => !has.has(name))
  const extra = [...has].filter((name) => !should.has(name))
  if (missing.length + extra.length === 0) return undefined
  const parts = [
    missing.length > 0 ? `lacks ${listed(missing)}` : '',
    extra.length > 0 ? `has ${listed(extra)} too many` : '',
  ].filter((part) => part !== '')
  return issue('Issuing', `The certificate ${parts.join(' and ')}.`)
})

const usagesChanged = onCertificate((wanted, secret) => {
  const same =
    sameSet(wanted.keyUsage, secret.leaf.keyUsage) && sameSet(wanted.extendedKeyUsage, secret.leaf.extendedKeyUsage)
  return same || (secret.takenOver && mayDoAsMuch(wanted, secret.leaf))
    ? undefined
    : issue('Issuing', 'The certificate has other usages than spec.role or spec.usages ask for.')
})

const durationChanged = onCertificate((wanted, secret) =>
  secret.requestedDuration === undefined || secret.requestedDuration === wanted.duration
    ? undefined
    : issue('Issuing', 'spec.duration has changed.'),
)

const renewTriggered = onCertificate((wanted, secret) =>
  secret.renewTrigger === undefined || !asksForRenewal(secret.renewTrigger, wanted.renewTrigger)
    ? undefined
    : issue('Renewing', 'spec.renewTrigger or the annotation dbtls.dev/renew-trigger has changed.'),
)

const renewalDue = onCertificate((wanted, secret, seen, now) => {
  const renewal = renewalOf(wanted, secret.leaf, seen.uid, now)
  return isTime(renewal, secret.leaf, now, seen.queued === true) ? issue('Renewing', renewalReason(renewal)) : undefined
})

/**
 * The clock was set back, or was ahead when the certificate was signed. Where its authority begins in the future, too, that
 * one's turn comes first, and a clock gone wrong is told of there, not on every certificate.
 */
const notYetValid = onCertificate((_wanted, { leaf }, { authority }, now) =>
  isAhead(leaf.notBefore, now) && !(authority.state === 'usable' && authority.material.signer.notBefore > now)
    ? issue(
        'Renewing',
        `The certificate is not valid before ${toTimestamp(leaf.notBefore)}, and it is ${toTimestamp(now)}.`,
      )
    : undefined,
)

/** A Secret of what is the authority's alone: nothing is issued for it, only written. */
const authoritySecretDiffers: CertificateCheck = ({ secret, resolved }) => {
  if (!('wanted' in resolved) || !resolved.wanted.withoutCertificate) return undefined
  if (secret.state === 'absent')
    return encode('Encoding', `Secret "${resolved.wanted.secret.name}" does not exist yet.`)
  return secret.ours ? differing(resolved.wanted, secret) : undefined
}

const outputsDiffer = onCertificate((wanted, secret) =>
  secret.privateKey === undefined && wanted.request === undefined ? undefined : differing(wanted, secret),
)

const differing = (wanted: Wanted, secret: Present): ReturnType<CertificateCheck> => {
  if (secret.drift.length > 0)
    return encode('Encoding', `Secret "${wanted.secret.name}" differs in ${listed(secret.drift)}.`)
  return secret.outputsCurrent
    ? undefined
    : encode('Encoding', `Secret "${wanted.secret.name}" does not hold what its items, password and trust ask for.`)
}

/** In the order in which a person would ask. Each says one thing, with one reason. */
export const checks: readonly CertificateCheck[] = [
  requestInvalid, // Stall  only a change of spec, or of the object with the request, can cure it
  windowsUnreadable, // Stall  until they are corrected, but not beyond the renewal
  authorityMissing, // Stall  until the CA exists
  authorityRefuses, // Stall  until the CA allows this namespace
  secretBelongsToOthers, // Stall
  secretTypeDiffers, // Stall  a Secret's type is immutable
  secretImmutable, // Stall
  passwordMissing, // Stall  until the Secret exists
  passwordUnfit, // Stall
  keyExportRefused, // Stall  until the CA lets its key go
  authorityKeyUnfit, // Stall  the CA's key has no such form
  commonNameTaken, // Stall  a newer certificate has the name
  onHold, // Stall  until the hold is taken back
  requestCompromised, // Stall  until there is a request for another key
  certificateMissing, // Issue  first issuance, or the Secret was deleted or emptied
  revoked, // Issue
  keyNotRequested, // Issue  the request was changed
  keyNotOurs, // Issue  swapped, truncated or missing key
  keyAlgorithmChanged, // Issue
  signerChanged, // Issue  the CA has another key
  subjectChanged, // Issue
  namesChanged, // Issue
  usagesChanged, // Issue
  durationChanged, // Issue
  renewTriggered, // Issue
  renewalDue, // Issue
  notYetValid, // Issue  signed under a clock that was ahead
  authoritySecretDiffers, // Encode the same, and the first time
  outputsDiffer, // Encode items, alias, password, profile, labels, trust bundle, tampering
]

export const decide = (seen: Observed, now: number): Decision => {
  const decision = evaluate(checks, seen, now)
  if (decision.cure === 'Encode') return evaluate([...checks, ...writingChecks], seen, now)
  if (decision.cure === 'Issue') return evaluate([...checks, ...signingChecks], seen, now)
  return decision
}

/** Whether others may have the key: it is then not used again, whatever the spec says. */
export const isCompromised = (entry: Observed['entry']): boolean =>
  entry?.state === 'Revoked' && entry.reason === 'keyCompromise'

const describeKey = (key: Wanted['keyAlgorithm'] | undefined): string =>
  key === undefined ? 'unknown' : 'size' in key ? `${key.algorithm} ${key.size}` : key.algorithm

const nameSet = (names: readonly GeneralName[]): Set<string> =>
  new Set(names.map(({ type, value }) => `${type} ${value}`))

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((member) => b.includes(member))

/** At most five, so that a thousand names do not make a message of a megabyte. */
const listed = (names: readonly string[]): string =>
  names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`
