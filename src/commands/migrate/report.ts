/** What a migration says on stderr: of each certificate whether it is kept, and every field that is not carried over as it is. */

import type { Secret } from '../../resources/core.ts'
import { formatDistinguishedName } from '../../pki/names/names.ts'
import type { Io } from '../shared/io.ts'
import { writeProblem } from '../shared/printable.ts'
import type { Note } from './notes.ts'
import type { Migration, Written } from './plan.ts'
import { secretNameIn, titlesOf } from './steps.ts'
import { type Verdict, verdictOn } from './verdict.ts'

export type Verdicts = ReadonlyMap<Written, Verdict>

interface Spec {
  readonly source?: { readonly secret?: { readonly name: string } }
  readonly authorityRef?: { readonly name: string; readonly namespace?: string }
}
const specOf = ({ object }: Written): Spec => (object as unknown as { readonly spec: Spec }).spec

/** Of those whose Secret is among `secrets` (`namespace/name`). `now` in ms. */
export const judge = async (
  { authorities, certificates }: Migration,
  secrets: ReadonlyMap<string, Secret>,
  now: number,
): Promise<Verdicts> => {
  const signers = new Map(
    authorities.map((one) => {
      const { namespace, name } = one.object.metadata
      return [`${namespace}/${name}`, secrets.get(`${namespace}/${specOf(one).source?.secret?.name}`)]
    }),
  )
  const verdicts = new Map<Written, Verdict>()
  for (const one of certificates) {
    const { namespace } = one.object.metadata
    const { name = '', namespace: above = namespace } = specOf(one).authorityRef ?? {}
    const secret = secrets.get(`${namespace}/${secretNameIn(one.object)}`)
    if (secret !== undefined)
      verdicts.set(one, await verdictOn(one.object, secret, signers.get(`${above}/${name}`), now))
  }
  return verdicts
}

export const tell = (io: Io, migration: Migration, verdicts: Verdicts, problems: readonly string[]): void => {
  for (const written of [...migration.authorities, ...migration.certificates])
    tellWritten(io, written, verdicts.get(written))
  for (const one of migration.notes) writeProblem(io, `note       ${sentence(one)}`)
  for (const one of migration.hints) writeProblem(io, `hint       ${sentence(one)}`)
  for (const one of migration.unwritten) writeProblem(io, `left       ${sentence(one)}`)
  for (const problem of problems) writeProblem(io, `left       ${problem}`)
}

const sentence = ({ about, field, message }: Note): string => `${about}: ${field === '' ? '' : `${field}: `}${message}`

const tellWritten = (io: Io, written: Written, verdict: Verdict | undefined): void => {
  const { kind, metadata } = written.object
  const becomes = `${titlesOf(written)} → ${kind} ${metadata.namespace}/${metadata.name}`
  if (verdict === undefined) {
    writeProblem(io, `written    ${becomes}`)
    return
  }
  const { certificate } = verdict
  const serial =
    certificate === undefined ? '' : ` ${certificate.serialNumber} (${formatDistinguishedName(certificate.subject)})`
  if (verdict.state === 'kept') writeProblem(io, `keeps      ${becomes}: certificate${serial} and its key stay`)
  else
    writeProblem(
      io,
      `replaces   ${becomes}: certificate${serial} would be issued anew as soon as it is taken over. ${verdict.reasons.join(' ')}`,
    )
}
