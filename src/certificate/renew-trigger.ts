/** What asks for a renewal besides time: the text of the spec, and that of the annotation by which a program asks. Pure. */

import { hash } from 'node:crypto'
import { marks } from '../control/context.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'

/** Between the two; together they have at most the 256 characters that a status holds (`renewTrigger`). */
const separator = ` ${marks.renewTrigger}=`
const longestPart = 100

/** Both as one text; that of the spec alone where there is no annotation. */
export const renewTriggerOf = ({ metadata, spec }: Pick<DatabaseCertificate, 'metadata' | 'spec'>): string => {
  const trigger = spec.renewTrigger ?? ''
  const annotation = metadata.annotations?.[marks.renewTrigger] ?? ''
  return annotation === '' ? trigger : `${shortened(trigger)}${separator}${shortened(annotation)}`
}

const shortened = (text: string): string => (text.length <= longestPart ? text : hash('sha256', text, 'hex'))

/** Whether the change from what was acted on last is a wish: that an annotation was taken away is none. */
export const asksForRenewal = (before: string, now: string): boolean =>
  before !== now && (now.includes(separator) || !before.startsWith(`${shortened(now)}${separator}`))
