/** Signing in a state folder: this process is the only one that has it, and does once what the controllers would do. */

import { randomBytes, webcrypto } from 'node:crypto'
import { decide as decideAuthority } from '../../authority/decide.ts'
import { gather as gatherAuthority } from '../../authority/gather.ts'
import { Keyring } from '../../authority/keyring.ts'
import { isBrought } from '../../authority/names.ts'
import { createCaches } from '../../caches.ts'
import { ClockGuard, ClockSkew } from '../../control/clock-guard.ts'
import { type Context, marks } from '../../control/context.ts'
import { type Finding, stall } from '../../control/decision.ts'
import { IssueError } from '../../pki/certificates/certificate.ts'
import { PlanError } from '../../pki/certificates/plans.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import { ReconcileError } from '../../runtime/errors.ts'
import { silentLogger } from '../../runtime/log.ts'
import { judgeOnce, signOnce } from '../../signing/once.ts'
import { CommandError } from '../shared/failures.ts'
import type { Target } from '../shared/target.ts'
import type { Refused, Signed } from './verdict.ts'

/** With `dryRun` the answer is `signable`, and the ledger stays as it is. */
export const signOffline = async (
  target: Target,
  wish: DatabaseCertificate,
  dryRun: boolean,
): Promise<Signed | Refused> => {
  const abort = new AbortController()
  const { context, stopped } = await openContext(target, abort.signal)
  try {
    return await judgeAndSign(context, wish, { dryRun, signal: abort.signal })
  } finally {
    abort.abort()
    await stopped()
  }
}

const judgeAndSign = async (
  context: Context,
  wish: DatabaseCertificate,
  options: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<Signed | Refused> => {
  const keyring = new Keyring(context)
  const { authorityRef } = wish.spec
  const authority = context.caches.authorities.store.get(`${authorityRef.namespace}/${authorityRef.name}`)
  const ofAuthority = authority === undefined ? [] : await objections(context, keyring, authority, options.signal)
  const { seen, refusals } = await judgeOnce(context, keyring, wish, options.signal)
  const all = [...ofAuthority, ...refusals]
  if (all.length > 0) return { state: 'refused', refusals: all }
  try {
    const signed = await signOnce(context, wish, seen, options)
    return { state: options.dryRun ? 'signable' : 'signed', ...signed }
  } catch (error) {
    return { state: 'refused', refusals: [refusalOf(error)] }
  }
}

/**
 * What would stop the authority's own controller now. Its status is of the last `run` or `render`: since then it may have been
 * revoked, held, or its Secret exchanged.
 */
const objections = async (
  context: Context,
  keyring: Keyring,
  authority: CertificateAuthority,
  signal: AbortSignal,
): Promise<readonly Finding[]> => {
  const held = authority.metadata.annotations?.[marks.hold]
  if (isBrought(authority))
    return held === undefined
      ? []
      : [
          stall(
            'Held',
            `Annotation ${marks.hold} of the CertificateAuthority says "${held.slice(0, 256)}"; remove it first.`,
          ),
        ]
  const decision = decideAuthority(await gatherAuthority(context, keyring, authority, signal), context.clock.now())
  return decision.cure === 'Stall' ? decision.acting : []
}

/** What is made is judged once more; @throws what is none of a signer's refusals. */
const refusalOf = (error: unknown): Finding => {
  if (error instanceof ReconcileError) return stall(error.reason as Finding['reason'], error.message)
  if (error instanceof PlanError || error instanceof IssueError) return stall('IssuanceFailed', error.message)
  if (error instanceof ClockSkew) throw new CommandError(error.message, { cause: error })
  throw error
}

const openContext = async (
  { cluster, clock }: Target,
  signal: AbortSignal,
): Promise<{ readonly context: Context; readonly stopped: () => Promise<unknown> }> => {
  const log = silentLogger()
  const caches = createCaches({ cluster, namespaces: undefined, clock, random: Math.random, log })
  const informers = Object.values(caches).filter((cache) => cache !== undefined)
  for (const informer of informers) informer.start(signal)
  await Promise.all(informers.map(({ synced }) => synced))
  const context: Context = {
    cluster,
    caches,
    clock,
    crypto: webcrypto,
    random: (size) => randomBytes(size),
    log,
    events: { record: () => undefined, stop: () => Promise.resolve() },
    clockGuard: new ClockGuard(clock),
  }
  return { context, stopped: () => Promise.all(informers.map((informer) => informer.stopped)) }
}
