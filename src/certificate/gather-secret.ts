/** What the Secret of a certificate holds, and whether it has to be read at all. */

import { keyOf } from '../cluster/port.ts'
import { type Context, existing, marks } from '../control/context.ts'
import { dataOf } from '../control/secrets.ts'
import { dataHash } from '../material/hash.ts'
import { recoverMaterial } from '../material/recover.ts'
import { parseCertificate, type ParsedCertificate, signatureVerifies } from '../pki/certificates/parse.ts'
import { algorithmOfSpki } from '../pki/keys/keys.ts'
import type { Secret } from '../resources/core.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { countsIn } from './counters.ts'
import type { Familiar } from './familiar.ts'
import { staleListsIn } from './revocation-list.ts'
import type { Observed, SecretSeen } from './observed.ts'
import { expectedInputsHash, nothing, ownerOf, secretDrift } from './outputs.ts'
import { isTakenOver } from './taken-over.ts'
import { variantOf } from './variant.ts'
import type { Wanted } from './wanted.ts'

/** What is known of a Secret that is replaced unread. */
export const dueSecret = (
  { caches, clock }: Context,
  certificate: DatabaseCertificate,
  wanted: Wanted,
  { familiar, queued }: { readonly familiar: Familiar; readonly queued: boolean },
): SecretSeen | undefined => {
  const secret = caches.secrets.store.get(`${certificate.metadata.namespace}/${wanted.secret.name}`)?.metadata
  const due = familiar.renewal(keyOf(certificate), certificate, wanted, secret, { now: clock.now(), queued })
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
    takenOver: false,
    due,
    privateKey: undefined,
    keyAlgorithm: undefined,
    password: undefined,
    signedByAuthority: undefined,
    waits: false,
    requestedDuration: undefined,
    renewTrigger: undefined,
    drift: [],
    outputsCurrent: true,
    staleLists: [],
    counted: new Map(),
  }
}

/** A first issuance saves the read: the write that follows refuses a Secret that exists, and then the read is made. */
export const needsSecret = ({ caches }: Context, { metadata, spec, status }: DatabaseCertificate): boolean =>
  status?.serialNumber !== undefined ||
  (status?.failedAttempts ?? 0) > 0 ||
  caches.secrets.store.get(`${metadata.namespace}/${spec.secret.name}`) !== undefined

/** What a Secret is made of besides certificate and key. */
export type Beside = Pick<Observed, 'authority' | 'password' | 'revocationList' | 'authorityKey'> & {
  /** Whether a leaf of the former CA is to be replaced now. */
  readonly mayMove: () => boolean
}

export const seeSecret = async (
  context: Pick<Context, 'caches'>,
  certificate: DatabaseCertificate,
  secret: Secret | undefined,
  wanted: Wanted | undefined,
  beside: Beside,
): Promise<SecretSeen> => {
  if (secret === undefined) return { state: 'absent' }
  const { password } = beside
  const { metadata } = secret
  const annotations = metadata.annotations ?? {}
  const owner = annotations[marks.owner]
  const data = dataOf(secret)
  const left = isLeftTo(context, certificate, secret)
  const ours = left || belongsTo(certificate, secret)
  const recovered =
    wanted === undefined || !ours || left
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
    takenOver: isTakenOver(annotations, leaf),
    privateKey,
    // A key is recovered only where it belongs to the certificate, which names its public half: nothing to compute.
    keyAlgorithm: leaf === undefined || privateKey === undefined ? undefined : algorithmOfSpki(leaf.spki),
    password: recovered.password,
    ...signatureOf(leaf, beside),
    requestedDuration: wholeNumber(annotations[marks.requestedDuration]),
    renewTrigger: annotations[marks.renewTrigger],
    drift: wanted === undefined ? [] : secretDrift(certificate, wanted, secret),
    staleLists: wanted === undefined || !ours ? [] : staleListsIn(secret, wanted, beside.revocationList),
    counted: wanted === undefined || !ours ? new Map() : countsIn(wanted.secret, secret, data),
  } as const
  return { ...seen, outputsCurrent: outputsCurrent(seen, annotations, data, wanted, beside) }
}

const signatureOf = (
  leaf: ParsedCertificate | undefined,
  { authority, mayMove }: Beside,
): Pick<Extract<SecretSeen, { state: 'present' }>, 'signedByAuthority' | 'waits'> => {
  if (leaf === undefined || authority.state !== 'usable') return { signedByAuthority: undefined, waits: false }
  const { signer, former } = authority.material
  const signedByAuthority = signatureVerifies(leaf, signer.subject, signer.spki)
  const isOfFormer =
    !signedByAuthority &&
    former !== undefined &&
    signatureVerifies(leaf, former.certificate.subject, former.certificate.spki)
  return { signedByAuthority, waits: isOfFormer && !mayMove() }
}

/** Ours by its annotation, by its owner reference, by the uid we reported, or because a person offers it. */
const belongsTo = ({ metadata, status }: DatabaseCertificate, secret: Secret): boolean => {
  const owner = secret.metadata.annotations?.[marks.owner]
  if (owner !== undefined) return owner === ownerOf({ metadata })
  return (
    secret.metadata.annotations?.[marks.adopt] === 'true' ||
    (secret.metadata.ownerReferences ?? []).some(({ uid }) => uid === metadata.uid) ||
    (status?.observed?.secretUid !== undefined && status.observed.secretUid === secret.metadata.uid)
  )
}

/**
 * Whether another certificate of the same profile has left the Secret: it stands, and is to write another one. Whoever wrote the
 * profile said so for both, and of two that change places neither could have its Secret otherwise. What is in it was never
 * for this certificate, its key least of all.
 */
const isLeftTo = ({ caches }: Pick<Context, 'caches'>, { metadata }: DatabaseCertificate, secret: Secret): boolean => {
  const [kind, name = ''] = secret.metadata.annotations?.[marks.owner]?.split('/') ?? []
  if (kind !== 'DatabaseCertificate' || name === metadata.name) return false
  const former = existing(caches.certificates, `${metadata.namespace}/${name}`)
  if (former === undefined || former.spec.secret.name === secret.metadata.name) return false
  const profile = profileUidOf(former)
  return profile !== undefined && profile === profileUidOf({ metadata })
}

const profileUidOf = ({ metadata: { ownerReferences = [] } }: Pick<DatabaseCertificate, 'metadata'>) =>
  ownerReferences.find(({ kind, controller }) => controller === true && kind === 'DatabaseTLSProfile')?.uid

const outputsCurrent = (
  seen: {
    leaf: Extract<SecretSeen, { state: 'present' }>['leaf']
    privateKey: Uint8Array | undefined
    password: string | undefined
    waits: boolean
  },
  annotations: Readonly<Record<string, string>>,
  data: ReadonlyMap<string, Uint8Array>,
  wanted: Wanted | undefined,
  { authority, password, revocationList, authorityKey }: Beside,
): boolean => {
  const { leaf, privateKey, waits } = seen
  if (wanted === undefined || authority.state !== 'usable' || revocationList?.state === 'absent') return true
  const complete = leaf !== undefined && (privateKey !== undefined || wanted.request !== undefined)
  if (!complete && !wanted.withoutCertificate) return true
  const ours = new Map([...data].filter(([key]) => wanted.secret.items.some((item) => item.key === key)))
  if (dataHash(ours) !== annotations[marks.dataHash]) return false
  const expected = expectedInputsHash(wanted, variantOf(authority.material, waits, wanted.secret.items), {
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
