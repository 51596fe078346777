/**
 * Name constraints of a CA below others. A verifier intersects what is permitted and unites what is excluded (RFC 5280
 * §6.1.4 g), so a CA can only narrow what it was given; what its certificate permits beyond that would never verify. What
 * the constraints above leave open beside other types would, but is closed here, as it is for leaves.
 */

import { ipRangeToBytes, permitsNames } from './name-constraints.ts'
import type { NameConstraints, NameSubtrees } from '../plan.ts'

type Form = Exclude<keyof NameSubtrees, 'directoryNames'>

const titles: Readonly<Record<Form, string>> = {
  dnsDomains: 'domain',
  ipRanges: 'address range',
  emailAddresses: 'email subtree',
  uriDomains: 'URI host',
}

/** One sentence for each subtree that `own` permits and some CA above does not; `reserved` are hosts that exist nowhere. */
export const nestingProblems = (
  own: NameConstraints,
  above: readonly NameConstraints[],
  reserved: readonly string[] = ['invalid'],
): string[] => [
  ...new Set(
    above.flatMap((constraints) =>
      (Object.keys(titles) as Form[]).flatMap((form) =>
        own.permitted[form]
          .filter((base) => !reserved.includes(base))
          .flatMap((base) => subtreeProblem(form, base, constraints) ?? []),
      ),
    ),
  ),
]

const subtreeProblem = (form: Form, base: string, above: NameConstraints): string | undefined => {
  const { [form]: allowed } = above.permitted
  const { [form]: forbidden } = above.excluded
  const name = `The ${titles[form]} ${JSON.stringify(base)}, which nameConstraints permit,`
  if (allowed.length > 0 && !allowed.some((outer) => covers[form](outer, base)))
    return `${name} is not within what the authority above permits: ${allowed.slice(0, 8).join(', ')}.`
  const hit = forbidden.find((outer) => covers[form](outer, base))
  if (hit !== undefined) return `${name} is excluded by the authority above${hit === '' ? '' : `: ${hit}`}.`
  return allowed.length === 0 && permitsNames(above)
    ? `${name} is of a type of which the authority above permits nothing; it permits names of other types only, and that closes this one.`
    : undefined
}

const below = (domain: string, host: string): boolean => host.endsWith(`.${domain}`)

const coversDomain = (outer: string, inner: string): boolean => {
  if (outer === '' || outer === inner) return true
  return below(outer.startsWith('.') ? outer.slice(1) : outer, inner.startsWith('.') ? inner.slice(1) : inner)
}

/** `.domain` stands for the hosts below it, a host for itself alone. */
const coversHost = (outer: string, inner: string): boolean =>
  outer === inner || (outer.startsWith('.') && below(outer.slice(1), inner.startsWith('.') ? inner.slice(1) : inner))

const coversMailbox = (outer: string, inner: string): boolean => {
  if (outer === inner) return true
  return !outer.includes('@') && coversHost(outer, inner.slice(inner.lastIndexOf('@') + 1))
}

const coversRange = (outer: string, inner: string): boolean => {
  const [a, b] = [ipRangeToBytes(outer), ipRangeToBytes(inner)]
  const half = a.length / 2
  if (a.length !== b.length) return false
  const at = (bytes: Uint8Array, index: number): number => bytes[index] ?? 0
  return Array.from({ length: half }, (_, index) => index).every((index) => {
    const mask = at(a, half + index)
    return (at(b, half + index) & mask) === mask && (at(b, index) & mask) === at(a, index)
  })
}

const covers: Readonly<Record<Form, (outer: string, inner: string) => boolean>> = {
  dnsDomains: coversDomain,
  ipRanges: coversRange,
  emailAddresses: coversMailbox,
  uriDomains: coversHost,
}
