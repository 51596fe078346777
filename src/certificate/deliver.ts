/** From an issued certificate to the ledger and the Secret, in this order; and the Secret alone, written again. */

import type { Context } from '../control/context.ts'
import { refuseOversized, type SecretContent, writeSecret } from '../control/write-secret.ts'
import { findEntry, record } from '../ledger/record.ts'
import { generatePassword } from '../material/passwords.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { Secret } from '../resources/core.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { Issued } from './issue.ts'
import { type Look, type Observed, usable } from './observed.ts'
import { contentOf } from './outputs.ts'
import { replacedNamesake } from './rivals.ts'
import type { Undelivered } from './undelivered.ts'
import { presentVariant, standingVariant, type Variant } from './variant.ts'
import type { Wanted } from './wanted.ts'

interface Delivering {
  readonly issued: Issued
  /** It is in the ledger already, from an attempt that did not reach the Secret. */
  readonly recorded: boolean
}

/** Ledger first, then the Secret: encoded beforehand, so that nothing is recorded that could never be delivered. */
export const deliver = async (
  context: Context,
  undelivered: Undelivered,
  { object: certificate, seen, signal }: Look,
  { issued, recorded }: Delivering,
): Promise<Secret> => {
  const { wanted, authority } = usable(seen)
  const present = seen.secret.state === 'present' ? seen.secret : undefined
  const content = await encoded(context, certificate, seen, {
    variant: presentVariant(authority.material),
    leaf: issued.certificate,
    privateKey: issued.privateKey,
    requestedDuration: wanted.duration,
    renewTrigger: wanted.renewTrigger,
    takenOver: false,
  })
  refuseOversized(content.name, content.data)
  if (!recorded) {
    const { namespace = 'default', name, uid = '' } = certificate.metadata
    const { fingerprint } = authority.material.certificate
    const namesake = replacedNamesake(context, certificate, wanted.subject)
    await record(
      context,
      {
        certificate: issued.certificate,
        authority: { ...wanted.authority, uid: authority.uid, fingerprint },
        holder: { namespace, name, uid },
        request: wanted.request?.pem,
        supersedes: superseded(context, certificate, wanted, present?.leaf) ?? namesake,
        namesakes: namesake !== undefined,
      },
      signal,
    )
    undelivered.keep(certificate, fingerprint, wanted, issued)
  }
  return writeSecret(context, content, signal)
}

/** The Secret once more, with the certificate it holds. */
export const encodeAgain = async (
  context: Context,
  { object: certificate, seen, signal }: Look,
): Promise<{ readonly leaf: ParsedCertificate | undefined; readonly written: Secret; readonly adopted: boolean }> => {
  const { wanted } = usable(seen)
  const present = seen.secret.state === 'present' ? seen.secret : undefined
  if (wanted.withoutCertificate) {
    const { duration, renewTrigger } = wanted
    const made = {
      ...{ variant: standingVariant(seen), leaf: undefined, privateKey: undefined },
      ...{ requestedDuration: duration, renewTrigger, takenOver: false },
    }
    const written = await writeSecret(context, await encoded(context, certificate, seen, made), signal)
    return { leaf: undefined, written, adopted: present?.adopted === true }
  }
  if (present?.leaf === undefined || (present.privateKey === undefined && wanted.request === undefined))
    throw new Error('nothing to encode')
  const content = await encoded(context, certificate, seen, {
    variant: standingVariant(seen),
    leaf: present.leaf,
    privateKey: wanted.request === undefined ? present.privateKey : undefined,
    requestedDuration: present.requestedDuration ?? wanted.duration,
    renewTrigger: present.renewTrigger ?? wanted.renewTrigger,
    takenOver: present.takenOver,
  })
  if (present.takenOver && seen.entry === undefined) await recordTakenOver(context, certificate, seen, signal)
  return { leaf: present.leaf, written: await writeSecret(context, content, signal), adopted: present.adopted }
}

/** So that it can be revoked, and is found by its serial number, as any other that the CA has signed. */
const recordTakenOver = async (
  context: Context,
  { metadata: { namespace = 'default', name, uid = '' } }: DatabaseCertificate,
  seen: Observed,
  signal: AbortSignal,
): Promise<void> => {
  const { wanted, authority } = usable(seen)
  if (seen.secret.state !== 'present' || seen.secret.leaf === undefined) return
  const fingerprint = standingVariant(seen).signedBy
  const issuance = {
    certificate: seen.secret.leaf,
    authority: { ...wanted.authority, uid: authority.uid, fingerprint },
    holder: { namespace, name, uid },
    request: wanted.request?.pem,
  }
  await record(context, issuance, signal)
}

const encoded = (
  { random }: Context,
  certificate: DatabaseCertificate,
  seen: Observed,
  {
    variant,
    ...made
  }: {
    readonly variant: Variant
    readonly leaf: ParsedCertificate | undefined
    readonly privateKey: Uint8Array | undefined
    readonly requestedDuration: number
    readonly renewTrigger: string
    readonly takenOver: boolean
  },
): Promise<SecretContent> => {
  const { wanted } = usable(seen)
  const present = seen.secret.state === 'present' ? seen.secret : undefined
  return contentOf(
    {
      ...made,
      certificate,
      wanted,
      authority: variant,
      password: passwordOf(random, seen, wanted),
      revocationList: seen.revocationList?.state === 'found' ? seen.revocationList.list : undefined,
      authorityPrivateKey: seen.authorityKey?.state === 'found' ? seen.authorityKey.pkcs8 : undefined,
      counted: present?.counted ?? new Map(),
      previous: present === undefined ? undefined : { uid: present.uid, resourceVersion: present.resourceVersion },
      adopted: present?.adopted === true,
    },
    random,
  )
}

const passwordOf = (random: Context['random'], seen: Observed, wanted: Wanted): string | undefined => {
  if (!wanted.needsPassword) return undefined
  if (seen.password?.state === 'found') return seen.password.value
  const kept = seen.secret.state === 'present' ? seen.secret.password : undefined
  return kept ?? generatePassword(random)
}

/**
 * What is in the Secret, where it was issued for this object: status may lag behind it by a crash. Somebody may have put in
 * another certificate, though, and then status knows which one of ours is replaced.
 */
const superseded = (
  { caches }: Context,
  { metadata, status }: DatabaseCertificate,
  wanted: Wanted,
  leaf: ParsedCertificate | undefined,
): string | undefined => {
  const reported = status?.serialNumber
  if (leaf === undefined) return reported
  const entry = findEntry(caches, wanted.authority, leaf.serialNumber)
  return entry?.holder === metadata.uid ? leaf.serialNumber : (reported ?? leaf.serialNumber)
}
