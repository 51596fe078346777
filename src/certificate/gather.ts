/** Reads everything one decision needs, from caches where they suffice and live where contents matter. Decides nothing. */

import { refusal } from '../authority/allowed.ts'
import { type Keyring, labelsOfNamespace } from '../authority/keyring.ts'
import { publishedUrls } from '../authority/published.ts'
import { StoredAuthorityError } from '../authority/stored.ts'
import { ApiError } from '../cluster/errors.ts'
import { keyOf } from '../cluster/port.ts'
import { type Context, existing, marks } from '../control/context.ts'
import { fromTimestamp } from '../control/schedule.ts'
import { dataOf, readSecret, readText } from '../control/secrets.ts'
import { dataHash } from '../material/hash.ts'
import { recoverMaterial } from '../material/recover.ts'
import { algorithmOfSpki } from '../pki/keys/keys.ts'
import { commonNameOf } from '../pki/names/names.ts'
import { parseCertificate, signatureVerifies } from '../pki/certificates/parse.ts'
import { findCondition, isReady } from '../resources/conditions.ts'
import type { Secret } from '../resources/core.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { DatabaseCertificate, DatabaseCertificateStatus } from '../resources/database-certificate.ts'
import { countsIn } from './counters.ts'
import type { Familiar } from './familiar.ts'
import { seeRequest } from './gather-request.ts'
import { policyOf } from './judge.ts'
import type { AuthoritySeen, Observed, RevocationListSeen, SecretSeen } from './observed.ts'
import { exportedIn, type ReadAuthorityKey, seeAuthorityKey } from './key-export.ts'
import { expectedInputsHash, nothing, secretDrift } from './outputs.ts'
import { commonNameHolder, keyHolder, seeEntry } from './rivals.ts'
import { isUndisturbed } from './undisturbed.ts'
import { resolve, type Wanted } from './wanted.ts'

/** The list of a CA, DER; undefined while it has made none. */
export type ReadRevocationList = (
  authority: CertificateAuthority,
  signal: AbortSignal,
) => Promise<Uint8Array | undefined>

/**
 * True when the caches alone show that nothing needs to be done before `renewAt`: the status was written for this
 * generation, and Secret, password and CA are still the ones it was written for. Costs no request.
 */
export const settledUntil = (
  context: Context,
  certificate: DatabaseCertificate,
  verified: { readonly secret: string; readonly password: string; readonly request: string } | undefined,
): number | undefined => {
  const { caches, clock } = context
  const { metadata, spec, status } = certificate
  if (status === undefined || status.observedGeneration !== metadata.generation) return undefined
  if (!isReady(certificate)) return undefined
  const renewAt = fromTimestamp(status.renewAt)
  if (renewAt === undefined || renewAt <= clock.now()) return undefined

  const namespace = metadata.namespace ?? 'default'
  const authority = caches.authorities.store.get(
    `${spec.authorityRef.namespace ?? namespace}/${spec.authorityRef.name}`,
  )
  if (authority === undefined) return undefined
  // An authority in trouble changes nothing about a certificate that needs nothing.
  if (isReady(authority) && !isCurrent(status, authority)) return undefined
  if (refusal(authority, namespace, labelsOfNamespace(caches)) !== undefined) return undefined
  if (!isUndisturbed(context, certificate, authority, verified?.request)) return undefined

  const secret = caches.secrets.store.get(`${namespace}/${spec.secret.name}`)?.metadata
  if (secret === undefined) return undefined
  if (secret.uid !== status.observed?.secretUid) return undefined
  if (secret.resourceVersion !== status.observed?.secretResourceVersion && secret.resourceVersion !== verified?.secret)
    return undefined

  const password = spec.keystore?.passwordSecretRef
  if (password !== undefined) {
    const present = caches.secrets.store.get(`${namespace}/${password.name}`)?.metadata.resourceVersion
    if (present === undefined) return undefined
    if (present !== status.observed?.passwordResourceVersion && present !== verified?.password) return undefined
  }
  return renewAt
}

const isCurrent = (status: DatabaseCertificateStatus, { status: signer }: CertificateAuthority): boolean =>
  signer?.certificate?.fingerprint === status.authorityFingerprint && signer?.trustBundleHash === status.trustBundleHash

export interface GatherOptions {
  readonly familiar: Familiar
  readonly readRevocationList: ReadRevocationList
  readonly readAuthorityKey: ReadAuthorityKey
  /** The Secret is there, whatever the cache says. */
  readonly surprised?: boolean
}

export const gather = async (
  context: Context,
  keyring: Pick<Keyring, 'load'>,
  certificate: DatabaseCertificate,
  signal: AbortSignal,
  { familiar, readRevocationList, readAuthorityKey, surprised = false }: GatherOptions,
): Promise<Observed> => {
  const { metadata, status } = certificate
  const namespace = metadata.namespace ?? 'default'
  const request = certificate.spec.request === undefined ? undefined : await seeRequest(context, certificate, signal)
  const resolved = resolve(certificate, request)
  const wanted = 'wanted' in resolved ? resolved.wanted : undefined
  const reported = wanted === undefined ? undefined : seeEntry(context, wanted.authority, status?.serialNumber)
  const due =
    wanted === undefined || surprised || reported?.state === 'Revoked'
      ? undefined
      : dueSecret(context, certificate, wanted, familiar)
  const [authority, password, revocationList, secret] = await Promise.all([
    seeAuthority(context, keyring, wanted, namespace),
    wanted?.passwordRef === undefined
      ? undefined
      : readText(context.cluster, namespace, wanted.passwordRef, 'spec.keystore.passwordSecretRef', signal),
    wanted === undefined ? undefined : seeRevocationList(context, wanted, readRevocationList, signal),
    due === undefined && (surprised || needsSecret(context, certificate))
      ? readSecret(context.cluster, { namespace, name: certificate.spec.secret.name }, signal)
      : undefined,
  ])
  const authorityKey =
    wanted === undefined
      ? undefined
      : await seeAuthorityKey(context, readAuthorityKey, wanted, namespace, authority.state === 'usable')
  const beside = { authority, password, revocationList, authorityKey }
  const seen = due ?? (await seeSecret(certificate, secret, wanted, beside))
  const leaf = seen.state === 'present' ? seen.leaf : undefined
  return {
    name: `DatabaseCertificate ${namespace}/${metadata.name}`,
    uid: metadata.uid ?? '',
    generation: metadata.generation ?? 1,
    resolved: wanted === undefined ? { problems: resolved.problems ?? [] } : { wanted },
    status,
    ...beside,
    request,
    secret: seen,
    entry:
      wanted === undefined || leaf === undefined || leaf.serialNumber === status?.serialNumber
        ? reported
        : seeEntry(context, wanted.authority, leaf.serialNumber),
    commonNameHolder:
      wanted === undefined ? undefined : commonNameHolder(context, certificate, commonNameOf(wanted.subject)),
    keyHolder:
      wanted === undefined || authority.state !== 'usable'
        ? undefined
        : keyHolder(context, certificate, wanted, authority),
  }
}

const seeRevocationList = async (
  { caches }: Context,
  { authority: { namespace, name }, secret }: Wanted,
  read: ReadRevocationList,
  signal: AbortSignal,
): Promise<RevocationListSeen | undefined> => {
  if (!secret.items.some(({ content }) => content === 'RevocationList')) return undefined
  const authority = caches.authorities.store.get(`${namespace}/${name}`)
  if (authority === undefined) return undefined
  const list = await read(authority, signal)
  if (list === undefined) return { state: 'absent', made: authority.spec.crl?.enabled === true }
  return { state: 'found', list, number: String(authority.status?.crl?.number ?? '') }
}

const dueSecret = (
  { caches, clock }: Context,
  certificate: DatabaseCertificate,
  wanted: Wanted,
  familiar: Familiar,
): SecretSeen | undefined => {
  const secret = caches.secrets.store.get(`${certificate.metadata.namespace}/${wanted.secret.name}`)?.metadata
  const due = familiar.renewal(keyOf(certificate), certificate, wanted, secret, clock.now())
  if (due === undefined || secret === undefined) return undefined
  return {
    state: 'present',
    uid: secret.uid ?? '',
    resourceVersion: secret.resourceVersion ?? '',
    type: wanted.secret.type,
    immutable: false,
    ours: true,
    adopted: false,
    owner: undefined,
    leaf: undefined,
    due,
    privateKey: undefined,
    keyAlgorithm: undefined,
    password: undefined,
    signedByAuthority: undefined,
    requestedDuration: undefined,
    renewTrigger: undefined,
    drift: [],
    outputsCurrent: true,
    exported: [],
    counted: new Map(),
  }
}

/** A first issuance saves the read: the write that follows refuses a Secret that exists, and then the read is made. */
const needsSecret = ({ caches }: Context, { metadata, spec, status }: DatabaseCertificate): boolean =>
  status?.serialNumber !== undefined ||
  (status?.failedAttempts ?? 0) > 0 ||
  caches.secrets.store.get(`${metadata.namespace}/${spec.secret.name}`) !== undefined

const seeAuthority = async (
  { caches }: Context,
  keyring: Pick<Keyring, 'load'>,
  wanted: Wanted | undefined,
  namespace: string,
): Promise<AuthoritySeen> => {
  if (wanted === undefined) return { state: 'notReady', message: '' }
  const { authority: reference } = wanted
  const authority = existing(caches.authorities, `${reference.namespace}/${reference.name}`)
  const name = `CertificateAuthority ${reference.namespace}/${reference.name}`
  if (authority === undefined)
    return {
      state: 'missing',
      message: `${name} of spec.authorityRef does not exist; create it or correct the reference.`,
    }
  const refused = refusal(authority, namespace, labelsOfNamespace(caches))
  if (refused !== undefined) return { state: 'refused', message: refused }
  const ready = findCondition(authority.status?.conditions, 'Ready')
  if (ready?.status !== 'True')
    return { state: 'notReady', message: `${name} is not Ready${ready === undefined ? '.' : `: ${ready.message}`}` }
  try {
    const material = await keyring.load(authority)
    const policy = policyOf(authority)
    return {
      state: 'usable',
      name,
      uid: authority.metadata.uid ?? '',
      material,
      ...(policy === undefined ? {} : { policy }),
      published: publishedUrls(authority),
    }
  } catch (error) {
    if (error instanceof ApiError || !(error instanceof StoredAuthorityError || error instanceof Error)) throw error
    return { state: 'notReady', message: `${name} cannot sign: ${error.message}.` }
  }
}

/** What a Secret is made of besides certificate and key. */
type Beside = Pick<Observed, 'authority' | 'password' | 'revocationList' | 'authorityKey'>

const seeSecret = async (
  certificate: DatabaseCertificate,
  secret: Secret | undefined,
  wanted: Wanted | undefined,
  beside: Beside,
): Promise<SecretSeen> => {
  if (secret === undefined) return { state: 'absent' }
  const { authority, password } = beside
  const { metadata } = secret
  const annotations = metadata.annotations ?? {}
  const owner = annotations[marks.owner]
  const data = dataOf(secret)
  const ours = belongsTo(certificate, secret)
  const recovered =
    wanted === undefined || !ours
      ? {}
      : await recoverMaterial(wanted.secret.items, data, password?.state === 'found' ? password.value : undefined)
  // Of an earlier form of the Secret there may still be one.
  const found = wanted?.withoutCertificate ? undefined : recovered.certificate
  const leaf = found === undefined ? undefined : parseCertificate(found)
  const { privateKey } = recovered
  const seen = {
    state: 'present',
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    type: secret.type ?? 'Opaque',
    immutable: secret.immutable === true,
    ours,
    adopted: annotations[marks.adopt] === 'true',
    owner,
    leaf,
    privateKey,
    // A key is recovered only where it belongs to the certificate, which names its public half: nothing to compute.
    keyAlgorithm: leaf === undefined || privateKey === undefined ? undefined : algorithmOfSpki(leaf.spki),
    password: recovered.password,
    signedByAuthority:
      leaf === undefined || authority.state !== 'usable'
        ? undefined
        : signatureVerifies(leaf, authority.material.signer.subject, authority.material.signer.spki),
    requestedDuration: wholeNumber(annotations[marks.requestedDuration]),
    renewTrigger: annotations[marks.renewTrigger],
    drift: wanted === undefined ? [] : secretDrift(certificate, wanted, secret),
    exported: wanted === undefined || !ours ? [] : exportedIn(secret, wanted.secret.items),
    counted: wanted === undefined || !ours ? new Map() : countsIn(wanted.secret, secret, data),
  } as const
  return { ...seen, outputsCurrent: outputsCurrent(seen, annotations, data, wanted, beside) }
}

/** Ours by its annotation, by its owner reference, by the uid we reported, or because a person offers it. */
const belongsTo = ({ metadata, status }: DatabaseCertificate, secret: Secret): boolean => {
  const owner = secret.metadata.annotations?.[marks.owner]
  if (owner !== undefined) return owner === `DatabaseCertificate/${metadata.name}`
  return (
    secret.metadata.annotations?.[marks.adopt] === 'true' ||
    (secret.metadata.ownerReferences ?? []).some(({ uid }) => uid === metadata.uid) ||
    (status?.observed?.secretUid !== undefined && status.observed.secretUid === secret.metadata.uid)
  )
}

const outputsCurrent = (
  seen: {
    leaf: Extract<SecretSeen, { state: 'present' }>['leaf']
    privateKey: Uint8Array | undefined
    password: string | undefined
  },
  annotations: Readonly<Record<string, string>>,
  data: ReadonlyMap<string, Uint8Array>,
  wanted: Wanted | undefined,
  { authority, password, revocationList, authorityKey }: Beside,
): boolean => {
  const { leaf, privateKey } = seen
  if (wanted === undefined || authority.state !== 'usable' || revocationList?.state === 'absent') return true
  const complete = leaf !== undefined && (privateKey !== undefined || wanted.request !== undefined)
  if (!complete && !wanted.withoutCertificate) return true
  const ours = new Map([...data].filter(([key]) => wanted.secret.items.some((item) => item.key === key)))
  if (dataHash(ours) !== annotations[marks.dataHash]) return false
  const expected = expectedInputsHash(wanted, authority.material, {
    certificate: leaf?.der ?? nothing,
    privateKey: wanted.request === undefined && leaf !== undefined ? privateKey : undefined,
    password: password?.state === 'found' ? password.value : seen.password,
    revocationList: revocationList?.list,
    authorityPrivateKey: authorityKey?.state === 'found' ? authorityKey.pkcs8 : undefined,
  })
  return expected === annotations[marks.inputsHash]
}

const wholeNumber = (text: string | undefined): number | undefined => {
  const value = text === undefined ? Number.NaN : Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}
