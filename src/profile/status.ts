/** What is reported of a profile: its certificates, and whether it is as it should be. Pure. */

import { isDeepStrictEqual } from 'node:util'
import type { Finding } from '../control/decision.ts'
import { sentences, stall, wait } from '../control/decision.ts'
import type { Outcome } from '../control/report.ts'
import { findCondition, isReady, type OtherConditions } from '../resources/conditions.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import type { DatabaseTLSProfileStatus } from '../resources/database-tls-profile-status.ts'
import type { Verdict } from './collaborators.ts'
import type { Expansion } from './expansion.ts'
import { sentence } from './findings.ts'

type Listed = NonNullable<DatabaseTLSProfileStatus['certificates']>

/** What the schema takes. */
const mostListed = 2048
const mostNamed = 3
const longestCause = 400

/** In the order of the profile; then those that stay because something is refused. */
export const listedCertificates = (
  { certificates: wanted }: Pick<Expansion, 'certificates'>,
  present: ReadonlyMap<string, DatabaseCertificate>,
): Listed => {
  const names = new Set(wanted.map(({ name }) => name))
  const others = [...present.keys()].filter((name) => !names.has(name)).toSorted()
  return [...names, ...others].slice(0, mostListed).flatMap((name) => {
    const certificate = present.get(name)
    if (certificate === undefined) return []
    const { spec, status } = certificate
    return {
      name,
      secretName: spec.secret.name,
      ...(spec.role === undefined ? {} : { role: spec.role }),
      ...(status?.serialNumber === undefined ? {} : { serialNumber: status.serialNumber }),
      ...(status?.notAfter === undefined ? {} : { notAfter: status.notAfter }),
    }
  })
}

/** What keeps the certificates: those that nothing but a change can help first. */
export const certificateFindings = (
  { certificates: wanted }: Pick<Expansion, 'certificates'>,
  present: ReadonlyMap<string, DatabaseCertificate>,
): Finding[] => {
  const unready = wanted.flatMap(({ name }) => {
    const certificate = present.get(name)
    return certificate === undefined || isReady(certificate) ? [] : [certificate]
  })
  if (unready.length === 0) return []
  const stalled = unready.filter((certificate) => saidOf(certificate, 'Stalled') !== undefined)
  const told = [...stalled, ...unready.filter((one) => !stalled.includes(one) && saidOf(one, 'Ready') !== undefined)]
  // No numbers: they would change with every certificate that is made.
  if (told.length === 0) return [wait('Issuing', 'Certificates are being issued.')]
  const causes = told.slice(0, mostNamed).map((certificate) => {
    const { reason = '', message = '' } = saidOf(certificate, 'Ready') ?? {}
    return `${certificate.metadata.name}: ${reason}: ${message.slice(0, longestCause)}`
  })
  const more = told.length > mostNamed ? ` And ${told.length - mostNamed} more.` : ''
  const message = `Not Ready of ${wanted.length} certificates: ${causes.join(' ')}${more}`
  return [(stalled.length > 0 ? stall : wait)('CertificatesNotReady', message)]
}

/** Of this generation; what was said of a former one is said anew. */
const saidOf = ({ metadata, status }: DatabaseCertificate, type: 'Ready' | 'Stalled') => {
  const condition = findCondition(status?.conditions, type)
  return condition?.observedGeneration === metadata.generation ? condition : undefined
}

export const outcomeOf = (
  expansion: Expansion | undefined,
  findings: readonly Finding[],
  verdicts: readonly Verdict[],
): Outcome => {
  const stalls = findings.filter(({ cure }) => cure === 'Stall')
  const acting = stalls.length > 0 ? stalls : findings
  const [first] = acting
  const others: OtherConditions = Object.assign({}, ...verdicts.map(({ conditions }) => conditions))
  if (first !== undefined)
    return {
      others,
      state: stalls.length > 0 ? 'Stalled' : 'Reconciling',
      reason: first.reason,
      message: sentences(acting),
    }
  const notes = [
    ...verdicts.flatMap((verdict) => verdict.notes),
    ...(expansion?.warnings ?? []).map((warning) => `Mind ${sentence(warning)}`),
  ]
  return { others, state: 'Ready', reason: 'Ready', message: [delivered(expansion), ...notes].join(' ') }
}

const delivered = (expansion: Expansion | undefined): string => {
  const { certificates = [], configMap, trust = [] } = expansion ?? {}
  const count = certificates.length
  const made =
    count === 0 ? [] : [count === 1 ? 'The certificate is delivered.' : `All ${count} certificates are delivered.`]
  const bundles = trust.map(({ name }) => `ConfigMap "${name}" holds what a CA is trusted by.`)
  const files = configMap === undefined ? [] : [`ConfigMap "${configMap.name}" holds files and commands.`]
  return [...made, ...bundles, ...files].join(' ')
}

/** Whether all that a write would change is facts: serial numbers and the like, which may wait until a burst of them is over. */
export const isOnlyFacts = (
  { metadata, status }: DatabaseTLSProfile,
  facts: Partial<DatabaseTLSProfileStatus>,
  { state, reason, message }: Outcome,
): boolean => {
  const ready = findCondition(status?.conditions, 'Ready')
  const same =
    status?.observedGeneration === metadata.generation &&
    ready?.observedGeneration === metadata.generation &&
    ready?.status === (state === 'Ready' ? 'True' : 'False') &&
    ready.reason === reason &&
    ready.message === message
  if (!same) return false
  return Object.entries(facts).some(([key, value]) => !isDeepStrictEqual(status?.[key as keyof typeof status], value))
}
