/** Reads everything one decision about a CertificateAuthority needs. Decides nothing. */

import { ApiError } from '../cluster/errors.ts'
import { keyOf } from '../cluster/port.ts'
import { type Context, existing, marks } from '../control/context.ts'
import { dataOf, readSecret, readText } from '../control/secrets.ts'
import { dataHash } from '../material/hash.ts'
import { signatureVerifies } from '../pki/certificates/parse.ts'
import { isRecorded } from '../ledger/record.ts'
import { authoritySecretName, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { isReady } from '../resources/conditions.ts'
import type { Secret } from '../resources/core.ts'
import { refusal } from './allowed.ts'
import { type AuthorityMaterial, type Keyring, labelsOfNamespace } from './keyring.ts'
import { nameOf, parentOf, passphraseRefOf, signerOf } from './names.ts'
import type { Observed, ParentSeen, SecretSeen } from './observed.ts'
import { signingPolicyOf } from './policy.ts'
import { publicationOf } from './published.ts'
import { refuseUnrecorded } from './recorded.ts'
import { isRevokedFor } from './revoked.ts'
import { authorityKeys, rootsOf } from './stage.ts'
import {
  isSelfSigned,
  type Passphrases,
  readStoredAuthority,
  type StoredAuthority,
  StoredAuthorityError,
} from './stored.ts'
import { trustHash } from './trust.ts'
import { notImplementedFields, resolve } from './wanted.ts'

export const gather = async (
  context: Context,
  keyring: Keyring,
  authority: CertificateAuthority,
  signal: AbortSignal,
): Promise<Observed> => {
  const namespace = authority.metadata.namespace ?? 'default'
  const reference = passphraseRefOf(authority)
  const [passphrase, parent, secret] = await Promise.all([
    reference === undefined
      ? undefined
      : readText(context.cluster, namespace, reference, 'spec.privateKey.passphraseSecretRef', signal),
    seeParent(context, keyring, authority),
    readSecret(context.cluster, { namespace, name: authoritySecretName(authority) }, signal),
  ])
  const passphrases: Passphrases =
    passphrase?.state === 'found' ? { current: passphrase.value, previous: passphrase.previous } : {}
  return {
    name: nameOf(authority),
    uid: authority.metadata.uid ?? '',
    held: authority.metadata.annotations?.[marks.hold],
    revoked: isRevokedFor(context.caches, authority, authority.status?.certificate?.serialNumber),
    notImplemented: notImplementedFields(authority),
    resolved: resolve(authority),
    status: authority.status,
    passphrase,
    parent,
    secret:
      secret === undefined
        ? { state: 'absent' }
        : await seeSecret(context, authority, secret, passphrases, parent, signal),
  }
}

const seeParent = async (
  { caches }: Context,
  keyring: Keyring,
  authority: CertificateAuthority,
): Promise<ParentSeen | undefined> => {
  const resolved = resolve(authority)
  const reference = 'wanted' in resolved ? resolved.wanted.parent : undefined
  if (reference === undefined) return undefined
  const name = `CertificateAuthority ${reference.namespace}/${reference.name}`
  const parent = existing(caches.authorities, `${reference.namespace}/${reference.name}`)
  if (parent === undefined)
    return {
      state: 'missing',
      message: `${name} of spec.source.intermediate.authorityRef does not exist; create it or correct the reference.`,
    }
  if (keyOf(parent) === keyOf(authority))
    return { state: 'refused', message: `${name} cannot be its own parent; use source.selfSigned.` }
  const refused = refusal(parent, authority.metadata.namespace ?? 'default', labelsOfNamespace(caches))
  if (refused !== undefined) return { state: 'refused', message: refused }
  if (parent.metadata.namespace !== authority.metadata.namespace && parent.spec.maxPathLength === undefined)
    return { state: 'refused', message: handsOutAuthority(name) }
  if (!isReady(parent)) return { state: 'notReady', message: `${name} is not Ready yet.` }
  try {
    return {
      state: 'usable',
      uid: parent.metadata.uid ?? '',
      material: await keyring.load(parent),
      policy: signingPolicyOf(parent),
      published: publicationOf(parent),
    }
  } catch (error) {
    if (error instanceof ApiError || !(error instanceof Error)) throw error
    return { state: 'notReady', message: `${name} cannot sign: ${error.message}.` }
  }
}

/** Whoever opens a CA to other namespaces for their certificates does not thereby mean to make CAs of them. */
const handsOutAuthority = (name: string): string =>
  `${name} signs authorities of other namespaces only when its own spec.maxPathLength says so; set it there, to 1 or more.`

const seeSecret = async (
  context: Context,
  authority: CertificateAuthority,
  secret: Secret,
  passphrases: Passphrases,
  parent: ParentSeen | undefined,
  signal: AbortSignal,
): Promise<SecretSeen> => {
  const annotations = secret.metadata.annotations ?? {}
  const owner = annotations[marks.owner]
  const adopted = annotations[marks.adopt] === 'true'
  const claimed = owner === undefined || owner === `CertificateAuthority/${authority.metadata.name}`
  const read = claimed ? await attempt(context, authority, secret, passphrases, signal) : {}
  const ours = claimed && (owner !== undefined || adopted || isKnown(authority, secret, read.stored))
  const { stored, problem } = ours ? read : {}
  const unknown = stored !== undefined && !adopted && authority.status?.certificate === undefined
  const asked = unknown && (parent === undefined || parent.state === 'usable')
  const material = parent?.state === 'usable' ? parent.material : undefined
  return {
    state: 'present',
    uid: secret.metadata.uid ?? '',
    resourceVersion: secret.metadata.resourceVersion ?? '',
    ours,
    owner,
    stored,
    problem,
    trigger: annotations[marks.rotationTrigger],
    drift: drift(secret, authority, stored, parent === undefined),
    signedByParent: stored === undefined || material === undefined ? undefined : isSignedBy(stored, material),
    chainChanged: stored !== undefined && material !== undefined && chainChanged(stored, material),
    recorded: asked ? await isRecorded(context.cluster, signerOf(authority), stored, signal) : undefined,
  }
}

/** Without our mark it is the Secret we reported, or one restored from a backup that kept the key alone. */
const isKnown = ({ status }: CertificateAuthority, secret: Secret, stored: StoredAuthority | undefined): boolean => {
  const { uid } = secret.metadata
  if (uid !== undefined && status?.observed?.secretUid === uid) return true
  return stored !== undefined && stored.publicKeyHash === status?.certificate?.publicKeyHash
}

const attempt = async (
  context: Context,
  authority: CertificateAuthority,
  secret: Secret,
  passphrases: Passphrases,
  signal: AbortSignal,
): Promise<{ stored?: StoredAuthority; problem?: StoredAuthorityError }> => {
  try {
    const stored = await readStoredAuthority(
      dataOf(secret),
      passphrases,
      secret.metadata.annotations?.[marks.rotationStage],
    )
    if (parentOf(authority) === undefined)
      for (const { name, certificate } of [{ name: 'tls', ...stored }, ...(stored.other ? [stored.other] : [])])
        if (!isSelfSigned(certificate))
          throw new StoredAuthorityError('Invalid', `the certificate in ${name}.crt was signed by another authority`)
    await refuseUnrecorded(context, authority, stored, signal)
    return { stored }
  } catch (error) {
    if (error instanceof StoredAuthorityError) return { problem: error }
    throw error
  }
}

/** Both CAs of one that rotates: leaves hang on either. */
const isSignedBy = ({ certificate, other }: StoredAuthority, { signer }: AuthorityMaterial): boolean =>
  [certificate, other?.certificate].every(
    (one) => one === undefined || signatureVerifies(one, signer.subject, signer.spki),
  )

const chainChanged = ({ trust, chain, other }: StoredAuthority, parent: AuthorityMaterial): boolean =>
  trustHash(trust) !== parent.trustHash ||
  [chain, other?.chain].some((one) => one !== undefined && trustHash(one.slice(1)) !== trustHash(parent.chain))

const drift = (
  secret: Secret,
  authority: CertificateAuthority,
  stored: StoredAuthority | undefined,
  isRoot: boolean,
): string[] => {
  const { labels = {}, annotations = {} } = secret.metadata
  // Not with what a crash has left empty: that is written again, without it.
  const ours = new Map([...dataOf(secret)].filter(([key, { length }]) => authorityKeys.includes(key) && length > 0))
  const stage = annotations[marks.rotationStage] ?? 'Plain'
  return [
    ...(labels[marks.managedBy] === marks.managedByValue ? [] : [`label ${marks.managedBy}`]),
    ...(annotations[marks.owner] === `CertificateAuthority/${authority.metadata.name}`
      ? []
      : [`annotation ${marks.owner}`]),
    ...(annotations[marks.dataHash] === dataHash(ours) ? [] : ['its contents']),
    // A Secret of before there were rotations says nothing of them.
    ...(stored === undefined || stored.stage === stage ? [] : [`annotation ${marks.rotationStage}`]),
    // The hash can be forged along with the contents: a root trusts itself and the other one, and nothing else.
    ...(isRoot && stored !== undefined && trustHash(stored.trust) !== trustHash(rootsTrusted(stored))
      ? ['key ca.crt']
      : []),
  ]
}

const rootsTrusted = ({ stage, certificate, other }: StoredAuthority): readonly Uint8Array[] =>
  rootsOf(stage, certificate.der, other?.certificate.der)
