/** Signs one request under the rules of a CA and records it. Nothing is delivered here. */

import type { Keyring } from '../authority/keyring.ts'
import { publicationOf, publishedUrls } from '../authority/published.ts'
import { refuseUnfit } from '../certificate/issue.ts'
import { lifetimeOf, policyOf } from '../certificate/judge.ts'
import type { UsableAuthority } from '../certificate/observed.ts'
import { requestedOf } from '../certificate/requested.ts'
import { commonNameKey, keysOf, nameOwner, newestOf } from '../certificate/rivals.ts'
import { compromisedKeyMessage } from '../certificate/signing-checks.ts'
import { ApiError } from '../cluster/errors.ts'
import { keyOf } from '../cluster/port.ts'
import type { Context } from '../control/context.ts'
import { renewalTime } from '../control/schedule.ts'
import { findEntry, isCompromisedKey, record } from '../ledger/record.ts'
import { isUnique } from '../ledger/replaced.ts'
import { issueCertificate } from '../pki/certificates/certificate.ts'
import { commonNameOf, emptyName } from '../pki/names/names.ts'
import { parseCertificate, type ParsedCertificate } from '../pki/certificates/parse.ts'
import { encodeCertificates } from '../pki/encoding/pem.ts'
import { leafPlan, serialNumber } from '../pki/certificates/plans.ts'
import { requestProblems } from '../pki/requests/problems.ts'
import { parseRequest, RequestError } from '../pki/requests/request.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { NotReady, Terminal } from '../runtime/errors.ts'
import { usagesOf } from './usages.ts'

export interface ToSign {
  /** PEM with any text around it, or DER. */
  readonly request: string | Uint8Array
  /** Names of certificates.k8s.io. */
  readonly usages: readonly string[]
  /** ms; undefined: what the CA gives by default. A longer one than its policy allows is shortened. */
  readonly duration: number | undefined
}

export interface Signed {
  readonly certificate: ParsedCertificate
  /** PEM, the leaf and the intermediates above it. */
  readonly pem: string
  /** SHA-256 of the CA's certificate, lower-case hex. */
  readonly authorityFingerprint: string
}

/** Of a certificate whose requester leaves it open, ms. */
const defaultDuration = 90 * 24 * 3_600_000
/** What is left of the CA must be worth a certificate, ms. */
const leastLifetime = 60_000

/**
 * Rejects with Terminal, its reason and a sentence, where this request is never signed; with NotReady while the CA cannot
 * sign; with ClockSkew as `record` does.
 */
export const signRequest = async (
  context: Context,
  keyring: Pick<Keyring, 'load'>,
  authority: CertificateAuthority,
  { request: bytes, usages: listed, duration }: ToSign,
  signal: AbortSignal,
): Promise<Signed> => {
  const usable = await usableOf(keyring, authority)
  const { signer, certificate: own, chain, trust } = usable.material
  const { clock, random } = context
  if (own.notAfter - clock.now() <= leastLifetime)
    throw new NotReady('AuthorityExpiring', `${usable.name} ends too soon to sign anything.`)
  const request = read(bytes)
  const usages = usagesOf(listed, request.keyAlgorithm?.algorithm)
  if (typeof usages === 'string') throw invalid(usages)
  const above = [...chain, ...trust].map((der) => parseCertificate(der).spki)
  const [first, ...others] = requestProblems(request, { authorityKeys: [...keysOf(usable.material), ...above] })
  if (first !== undefined) throw invalid([first, ...others].join(' '))
  const requested = requestedOf({ usages: [...usages] }, { subject: emptyName, names: [] }, request)
  if ('problems' in requested) throw invalid(requested.problems.join(' '))
  const { namespace = 'default', name } = authority.metadata
  if (isCompromisedKey(context.caches, [namespace], requested.spki))
    throw new Terminal('KeyInUse', compromisedKeyMessage('the request'))
  const supersedes = namesakeOf(context, authority, requested.subject)
  const { rules } = usable.policy ?? {}
  const plan = leafPlan({
    signer,
    ...requested,
    duration: lifetimeOf({ duration: duration ?? defaultDuration, durationGiven: false }, rules),
    now: clock.now(),
    serialNumber: serialNumber(random(16)),
    ...publishedUrls(usable.published, signer.subjectKeyId),
  })
  const certificate = await issueCertificate(plan, signer)
  refuseUnfit(usable, certificate)
  await record(
    context,
    {
      certificate,
      authority: { namespace, name, uid: usable.uid, fingerprint: own.fingerprint },
      request: requested.pem,
      supersedes,
      namesakes: supersedes !== undefined,
    },
    signal,
  )
  return { certificate, pem: pemOf(certificate, chain), authorityFingerprint: own.fingerprint }
}

const pemOf = ({ der }: ParsedCertificate, chain: readonly Uint8Array[]): string => encodeCertificates([der, ...chain])

/**
 * What was signed and recorded before, where it may still be handed out; undefined where it is to be signed anew, which then
 * says what is wrong. Rejects with NotReady while the CA cannot sign.
 */
export const stillFit = async (
  { caches, clock }: Context,
  keyring: Pick<Keyring, 'load'>,
  authority: CertificateAuthority,
  signed: Signed,
): Promise<Signed | undefined> => {
  const { certificate, authorityFingerprint } = signed
  const usable = await usableOf(keyring, authority)
  const { certificate: own, chain } = usable.material
  if (authorityFingerprint !== own.fingerprint) return undefined
  const { namespace = 'default', name, uid = '' } = authority.metadata
  if (findEntry(caches, { namespace, name }, certificate.serialNumber)?.state === 'Revoked') return undefined
  if (isCompromisedKey(caches, [namespace], certificate.spki)) return undefined
  if (clock.now() >= renewalTime({}, certificate.notBefore, certificate.notAfter, uid)) return undefined
  return isUnfit(usable, certificate) ? undefined : { ...signed, pem: pemOf(certificate, chain) }
}

const isUnfit = (authority: UsableAuthority, certificate: ParsedCertificate): boolean => {
  try {
    refuseUnfit(authority, certificate)
    return false
  } catch (error) {
    if (error instanceof Terminal) return true
    throw error
  }
}

const invalid = (message: string): Terminal => new Terminal('RequestInvalid', message)

const read = (bytes: string | Uint8Array) => {
  try {
    return parseRequest(bytes)
  } catch (error) {
    if (error instanceof RequestError) throw invalid(error.message)
    throw error
  }
}

const usableOf = async (keyring: Pick<Keyring, 'load'>, authority: CertificateAuthority): Promise<UsableAuthority> => {
  const name = `CertificateAuthority ${keyOf(authority)}`
  try {
    const policy = policyOf(authority)
    const material = await keyring.load(authority)
    if (material.keyless === true)
      throw new Error('its owner has replaced it, and the next one is not trusted everywhere')
    if (material.givenUp === true) throw new Error('it was revoked, and the next one is not trusted everywhere')
    return {
      state: 'usable',
      name,
      uid: authority.metadata.uid ?? '',
      material,
      ...(policy === undefined ? {} : { policy }),
      published: publicationOf(authority),
    }
  } catch (error) {
    if (error instanceof ApiError || !(error instanceof Error)) throw error
    throw new NotReady('AuthorityNotReady', `${name} cannot sign: ${error.message}.`)
  }
}

/**
 * Where the CA gives a name to one certificate alone: the serial number that this one takes the place of. A name that a
 * DatabaseCertificate has is not given away under it; one that was signed for a request is, as a renewal.
 */
const namesakeOf = (
  context: Pick<Context, 'caches'>,
  authority: CertificateAuthority,
  subject: Uint8Array,
): string | undefined => {
  const commonName = commonNameOf(subject)
  if (commonName === undefined || !isUnique(authority)) return undefined
  const others = context.caches.ledger.store
    .by('commonName', commonNameKey(keyOf(authority), commonName))
    .filter(({ isCa }) => !isCa)
  if (nameOwner(context, authority, commonName) !== undefined)
    throw new Terminal(
      'PolicyViolation',
      `CertificateAuthority ${keyOf(authority)} gives each common name to one certificate alone (spec.policy.uniqueCommonName), and a DatabaseCertificate has this one.`,
    )
  return newestOf(others.filter(({ state }) => state === 'Valid'))?.serialNumber
}
