/** What a person should know about a certificate that is in order all the same: sentences behind the one of `Ready`. Pure. */

import { toTimestamp } from '../control/schedule.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { violationsOfCertificate } from './judge.ts'
import type { Observed } from './observed.ts'
import { type Renewal, windowsField } from './renewal.ts'

export const notesOf = (
  { authority, request }: Observed,
  leaf: ParsedCertificate,
  { due, at, outside }: Renewal,
): string[] => {
  const unfit = authority.state === 'usable' ? violationsOfCertificate(authority, leaf) : []
  return [
    ...(request?.state === 'read' && request.note !== undefined ? [request.note] : []),
    ...(unfit.length === 0
      ? []
      : [
          `It was signed before the present rules of its CA and stays in use until its renewal, which they will decide on. ${unfit.map(({ message }) => message).join(' ')}`,
        ]),
    ...(at === due
      ? []
      : [`Due at ${toTimestamp(due)}, it is renewed in one of ${windowsField}, at ${toTimestamp(at)}.`]),
    ...(outside ? [`None of ${windowsField} opens between ${toTimestamp(due)}, when it is due, and its end.`] : []),
  ]
}
