/**
 * One request signed once, exactly as `spec.request` of a DatabaseCertificate would have it signed, without there being one:
 * the same reading, the same checks, the same ledger. Nothing is delivered here, and nothing renews it.
 */

import type { Keyring } from '../authority/keyring.ts'
import { decide } from '../certificate/decide.ts'
import { Familiar } from '../certificate/familiar.ts'
import { gather } from '../certificate/gather.ts'
import { issueLeaf } from '../certificate/issue.ts'
import type { Observed } from '../certificate/observed.ts'
import { authorityKeyOf, describe, nameOwner, replacedNamesake } from '../certificate/rivals.ts'
import { usable } from '../certificate/observed.ts'
import { everyTurn } from '../certificate/turns.ts'
import type { Context } from '../control/context.ts'
import type { Finding } from '../control/decision.ts'
import { record } from '../ledger/record.ts'
import { commonNameOf } from '../pki/names/names.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'

export interface Judged {
  readonly seen: Observed
  /** Why it is not signed; empty where it may be. */
  readonly refusals: readonly Finding[]
}

export interface SignedOnce {
  readonly certificate: ParsedCertificate
  /** DER of the CAs above it, without the root. */
  readonly chain: readonly Uint8Array[]
  /** Serial number of the certificate that it takes the place of. */
  readonly supersedes: string | undefined
}

/** `wish` has the fields of a DatabaseCertificate with `spec.request.inline`; its namespace is that of who asks. */
export const judgeOnce = async (
  context: Context,
  keyring: Pick<Keyring, 'load'>,
  wish: DatabaseCertificate,
  signal: AbortSignal,
): Promise<Judged> => {
  const gathered = await gather(context, keyring, wish, signal, {
    familiar: new Familiar(),
    readRevocationList: () => Promise.resolve(undefined),
    readAuthorityKey: () => Promise.reject(new Error('no item of a request holds the key of its authority')),
    keyStays: () => undefined,
    turns: everyTurn,
  })
  const seen: Observed = {
    ...gathered,
    // There is no Secret to write, so none can be in the way.
    secret: { state: 'absent' },
    commonNameHolder: gathered.commonNameHolder ?? ownerOfName(context, wish, gathered),
  }
  const { cure, acting } = decide(seen, context.clock.now())
  return { seen, refusals: cure === 'Issue' ? [] : acting }
}

/** What is signed once has no turn to wait for: a name that is on its way to a DatabaseCertificate is taken, too. */
const ownerOfName = (
  context: Context,
  wish: DatabaseCertificate,
  { resolved }: Pick<Observed, 'resolved'>,
): string | undefined => {
  const authority = context.caches.authorities.store.get(authorityKeyOf(wish))
  if (authority === undefined || !('wanted' in resolved)) return undefined
  const owner = nameOwner(context, authority, commonNameOf(resolved.wanted.subject))
  return owner === undefined ? undefined : describe(owner, wish.metadata.namespace)
}

/**
 * Signs what `judgeOnce` found nothing against. With `dryRun` it is made, checked and thrown away; else it is in the ledger when
 * this resolves. Rejects as `issueLeaf` and `record` do.
 */
export const signOnce = async (
  context: Context,
  wish: DatabaseCertificate,
  seen: Observed,
  { dryRun, signal }: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<SignedOnce> => {
  const { wanted, authority } = usable(seen)
  const { certificate } = await issueLeaf(context, wanted, authority, undefined)
  const supersedes = replacedNamesake(context, wish, wanted.subject)
  const { fingerprint } = authority.material.certificate
  if (!dryRun)
    await record(
      context,
      {
        certificate,
        authority: { ...wanted.authority, uid: authority.uid, fingerprint },
        request: wanted.request?.pem,
        supersedes,
        namesakes: supersedes !== undefined,
      },
      signal,
    )
  return { certificate, chain: authority.material.chain, supersedes }
}
