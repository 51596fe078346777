/** What is wrong with a subject that somebody else encoded, and that is to be copied byte for byte (RFC 5280 §4.1.2.4, appendix A.1). */

import { children, readOnly, Tag } from '../encoding/der.ts'
import { attributeTypes, type AttributeType, checkText, NameError, type Relative } from '../names/attributes.ts'
import { readName } from '../names/names.ts'

const maxRelatives = 64
const maxOctets = 4096

const known = new Map<string, AttributeType>(Object.values(attributeTypes).map((type) => [type.oid, type]))

/** One sentence each; `subject` is DER of a readable Name. */
export const subjectProblems = (subject: Uint8Array): string[] => {
  const relatives = readName(subject)
  if (relatives.length > maxRelatives || subject.length > maxOctets)
    return [`The subject is longer than ${maxRelatives} parts or ${maxOctets} bytes.`]
  const problems = [...relatives.map(relativeProblem), ...relatives.flat().map(attributeProblem)]
  if (!setsAreSorted(subject))
    problems.push('The subject is not DER: the attributes joined in one part are not sorted.')
  return [...new Set(problems.filter((problem) => problem !== undefined))]
}

const relativeProblem = (relative: Relative): string | undefined => {
  if (relative.length === 0) return 'The subject has an empty part.'
  const types = relative.map(({ oid }) => oid)
  return new Set(types).size === types.length ? undefined : 'The subject joins two values of one attribute in one part.'
}

/** SET OF: in the order of the encodings (X.690 §11.6). */
const setsAreSorted = (subject: Uint8Array): boolean =>
  children(readOnly(subject, Tag.sequence)).every((relative) => {
    const encodings = children(relative).map(({ encoded }) => encoded)
    return encodings.every((encoding, index) => Buffer.compare(encodings[index - 1] ?? encoding, encoding) <= 0)
  })

const unknownBound = 256
const stringTags = new Map<number, RegExp | undefined>([
  [Tag.utf8String, undefined],
  [Tag.printableString, /^[A-Za-z0-9 '()+,\-./:=?]*$/],
  [Tag.ia5String, undefined],
])

const attributeProblem = ({ oid, value, text }: Relative[number]): string | undefined => {
  const type = known.get(oid)
  const title = type?.title ?? oid
  const tag = value[0] ?? 0
  if (!stringTags.has(tag) || text === undefined)
    return `The ${title} of the subject is not a UTF8String, PrintableString or IA5String; make the request with "openssl req -utf8".`
  if (stringTags.get(tag)?.test(text) === false)
    return `The ${title} of the subject holds characters that a PrintableString may not; encode it as UTF8String.`
  if (type?.form === 'country' && (tag !== Tag.printableString || !/^[A-Za-z]{2}$/.test(text)))
    return 'The country of the subject is not a PrintableString of two letters.'
  return textProblem(type ?? { title: `attribute ${oid}`, bound: unknownBound }, text)
}

const textProblem = (type: Pick<AttributeType, 'title' | 'bound'>, text: string): string | undefined => {
  try {
    checkText(type, text)
    return undefined
  } catch (error) {
    if (error instanceof NameError) return error.message
    throw error
  }
}
