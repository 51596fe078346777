/**
 * Whether all that stands behind an endpoint trusts the next CA of a rotation. Every address is asked for itself, and the worst of
 * them is what is said.
 */

import { probe } from '../../database/connect/probe.ts'
import type { Target } from '../../database/connect/sight.ts'
import { type Offers, type Proof, proveTrust, type ProofOptions } from '../../database/connect/prove.ts'
import type { TrustReason } from '../../database/connect/trust.ts'
import type { Clock } from '../../runtime/clock.ts'
import { isAsked, type Look, type TrustSeen, type Visited, withoutOtherFamily } from './seen.ts'
import { type Asking, mostAddresses, patience } from './look.ts'
import type { PlannedProof } from './plan.ts'

export interface ProvingOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly rules?: ProofOptions['rules'] | undefined
}

export interface Proved {
  readonly trust: TrustSeen
  /** The certificate of the CA of today was refused as well: another template may fare better. */
  readonly isIdentityRefused: boolean
  /** The most that one server refused. */
  readonly refusals: number
}

/** The next address is asked only before this, ms. The pods of a name that are as quick as they should be take two seconds each. */
const longestMs = 180_000

/** From what keeps a rotation most. */
const order: readonly TrustSeen['state'][] = ['Refused', 'Unknown', 'Anybody', 'NotRequested', 'Trusted']

const unknown = (message: string): Proved => ({
  ...{ isIdentityRefused: false, refusals: 0 },
  trust: { state: 'Unknown', message },
})

/** One that may not be asked has no say: the others have. */
const askedBehind = ({ visits }: Look): readonly Visited[] => withoutOtherFamily(visits).filter(isAsked)

/** What a look leaves no need, or no way, to ask. */
export const hopeless = (look: Look): Proved | undefined => {
  const visits = askedBehind(look)
  if (look.leftOut !== undefined)
    return unknown(
      `Whether it trusts the next CA is asked of ${mostAddresses} addresses behind a name, and there are ${mostAddresses + look.leftOut}: list the pods in spec.probe.endpoints.`,
    )
  const silent = visits.find(({ served }) => served === undefined)
  if (silent === undefined && visits.length > 0) return undefined
  const where = silent === undefined || visits.length === 1 ? 'It' : silent.address
  return unknown(`${where} cannot be asked whether it trusts the next CA.`)
}

/** Rejects only with the reason of the signal. */
export const proveAll = async (
  asking: Asking,
  look: Look,
  offers: Offers,
  { from, to }: Pick<PlannedProof, 'from' | 'to'>,
  options: ProvingOptions,
): Promise<Proved> => {
  const visits = askedBehind(look)
  const all: (Proved & { readonly address: string })[] = []
  const began = options.clock.monotonic()
  for (const { address } of visits) {
    if (options.clock.monotonic() - began >= longestMs) {
      all.push({ address, ...unknown(words.TooSlow) })
      break
    }
    const proof = await proveTrust(targetOf(asking, address), offers, { ...options, ...patience })
    options.signal.throwIfAborted()
    const trust = trustOf(proof, from === undefined ? [] : [from], to)
    all.push({ address, trust, refusals: proof.refusals, isIdentityRefused: proof.reason === 'CurrentRefused' })
    // Whatever the others say, it is asked again.
    if (trust.state === 'Refused' || proof.reason === 'TooSlow') break
  }
  const [worst] = all.toSorted((a, b) => order.indexOf(a.trust.state) - order.indexOf(b.trust.state))
  if (worst === undefined) return unknown('Its name leads nowhere.')
  const { trust, address, isIdentityRefused } = worst
  const where = visits.length > 1 && trust.message !== undefined ? { message: `${address}: ${trust.message}` } : {}
  return {
    trust: { ...trust, ...where },
    isIdentityRefused,
    refusals: Math.max(...all.map(({ refusals }) => refusals)),
  }
}

/** One offer to each, which costs a server that goes on trusting it no refusal. Rejects only with the reason of the signal. */
export const takesAll = async (
  asking: Asking,
  look: Look,
  certificate: Offers['Next'],
  options: ProvingOptions,
): Promise<boolean> => {
  for (const { address } of askedBehind(look)) {
    const { clock, signal } = options
    const { outcome, offered } = await probe(targetOf(asking, address), { clock, signal, certificate, ...patience })
    options.signal.throwIfAborted()
    if (outcome !== 'Accepted' || !offered) return false
  }
  return true
}

const targetOf = ({ port, dialect, serverName, roots }: Asking, address: string): Target => ({
  ...{ address, port, dialect, serverName, roots },
})

const words = {
  Refused: 'It does not trust the next CA: it has not loaded the trust bundle.',
  Wavering:
    'It takes the next CA and refuses it in turns: some of its processes, or of the pods behind the name, have not loaded the trust bundle.',
  CurrentRefused:
    'It takes no certificate of the CA that signs now: it has not loaded it, or a rule of the server forbids the names of the client, so nothing is known of the next CA.',
  OtherFault:
    'It refuses a certificate of the next CA, and not for its issuer: see its log for the rule that the certificate breaks.',
  NotOffered: 'It knows no signature algorithm in common with the client, so it was shown no certificate.',
  ServerNotVerified: 'What it serves does not verify, so what it says of the next CA is not believed.',
  ServersDiffer:
    'Different certificates are served there, so it is not known who trusts the next CA: list the pods in spec.probe.endpoints.',
  TooSlow: 'It answers so late that there was no time to find out whether it trusts the next CA.',
} satisfies Partial<Record<TrustReason, string>>

const trustOf = ({ verdict, reason, rounds }: Proof, from: readonly string[], to: string): TrustSeen => {
  if (verdict === 'Trusted') return { state: 'Trusted', trusts: [...from, to] }
  if (reason === 'NotRequested') return { state: 'NotRequested' }
  if (reason === 'StrangerAccepted') return { state: 'Anybody' }
  const message =
    (words as Partial<Record<TrustReason, string>>)[reason] ?? 'Whether it trusts the next CA could not be found out.'
  if (verdict === 'NotTrusted') return { state: 'Refused', trusts: from, message }
  if (reason !== 'CurrentRefused') return { state: 'Unknown', message }
  const takesNext = rounds.some(({ offer, outcome }) => offer === 'Next' && outcome === 'Accepted')
  return {
    ...{ state: 'Refused', trusts: takesNext ? [to] : [] },
    message: takesNext ? 'It takes the next CA, and clients of the one that signs now are refused.' : message,
  }
}
