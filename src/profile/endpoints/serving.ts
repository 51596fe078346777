/** What is said of every endpoint → the condition Serving over all of them. */

import type { Reason } from '../../resources/reasons.ts'
import { type Judged, type Standing, standings } from './judge.ts'

export interface Serving {
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: Reason
  readonly message: string
}

const reasons: Readonly<Record<Standing, Reason>> = {
  NoTLS: 'TLSNotServed',
  Other: 'OtherCertificateServed',
  NotVerified: 'ServedCertificateRefused',
  Old: 'OldCertificateServed',
  ClientRefused: 'ClientCertificateRefused',
  Unreachable: 'EndpointUnreachable',
  NotAsked: 'EndpointNotAsked',
  Serving: 'Served',
}

/** Rows that the condition tells in full; the rest is counted, and stands in status.endpoints. */
const mostTold = 5

/** Undefined where there is no endpoint. */
export const servingOf = (rows: readonly (Judged & { readonly address: string })[]): Serving | undefined => {
  const count = rows.length
  const all = count === 1 ? 'The endpoint serves' : `All ${count} endpoints serve`
  if (count === 0) return undefined
  const troubled = rows
    .filter(({ standing }) => standing !== 'Serving')
    .toSorted((a, b) => standings.indexOf(a.standing) - standings.indexOf(b.standing))
  const [worst] = troubled
  if (worst === undefined)
    return { status: 'True', reason: 'Served', message: `${all} a certificate that clients take.` }
  const told = troubled.slice(0, mostTold).map(({ address, message }) => `${address}: ${message}`)
  const more = troubled.length > mostTold ? [`And ${troubled.length - mostTold} more; see status.endpoints.`] : []
  const unseen = worst.standing === 'Unreachable' || worst.standing === 'NotAsked'
  return {
    status: unseen ? 'Unknown' : 'False',
    reason: reasons[worst.standing],
    message: [`${troubled.length} of ${count} endpoints:`, ...told, ...more].join(' '),
  }
}
