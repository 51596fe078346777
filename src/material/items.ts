/** What a person can get wrong about the items of a Secret, each as one sentence that names the field. */
import { aliasProblem } from './aliases.ts'
import type { EncodeSettings, KeyEncoding, OutputItem } from './content-table.ts'
import { contents, effectiveChoices } from './content-table.ts'

type Algorithm = 'RSA' | 'ECDSA' | 'Ed25519'

export interface Available {
  readonly privateKey: boolean
  readonly keyAlgorithm: Algorithm
  /** Of the CA, where it is known. */
  readonly authorityKeyAlgorithm?: Algorithm | undefined
}

const encodings: Readonly<Record<Algorithm, readonly KeyEncoding[]>> = {
  RSA: ['PKCS8', 'PKCS1', 'Traditional'],
  ECDSA: ['PKCS8', 'SEC1', 'Traditional'],
  Ed25519: ['PKCS8'],
}

const encodingProblem = (item: OutputItem, have: Available, settings: EncodeSettings): string | undefined => {
  const { encoding } = effectiveChoices(item, settings)
  const algorithm = item.content === 'AuthorityPrivateKey' ? have.authorityKeyAlgorithm : have.keyAlgorithm
  if (encoding === undefined || algorithm === undefined || encodings[algorithm].includes(encoding)) return undefined
  const possible = encodings[algorithm].filter((name) => name !== 'Traditional').join(' or ')
  return `encoding: ${encoding} cannot hold an ${algorithm} key; use ${possible}.`
}

const ownProblems = (item: OutputItem, have: Available, settings: EncodeSettings): string[] => {
  const problems: string[] = []
  const { alias } = effectiveChoices(item, settings)
  const badAlias = alias === undefined ? undefined : aliasProblem(alias)
  if (badAlias !== undefined) problems.push(`alias: "${alias}" cannot name an entry: ${badAlias}`)
  const badEncoding = encodingProblem(item, have, settings)
  if (badEncoding !== undefined) problems.push(badEncoding)
  if (contents[item.content].uses.includes('privateKey') && !have.privateKey)
    problems.push(
      `content: ${item.content} needs the private key, which stays with whoever made the request; remove it.`,
    )
  return problems
}

/** Empty when every item can be encoded; otherwise sentences such as `items[2].encoding: SEC1 cannot hold …`. */
export const itemProblems = (items: readonly OutputItem[], have: Available, settings: EncodeSettings): string[] => {
  const problems: string[] = []
  const firstWith = new Map<string, number>()
  for (const [index, item] of items.entries()) {
    const first = firstWith.get(item.key)
    if (first === undefined) firstWith.set(item.key, index)
    else problems.push(`items[${index}].key: "${item.key}" is the key of items[${first}] already; choose another.`)
    if (!Object.hasOwn(contents, item.content))
      problems.push(`items[${index}].content: "${item.content}" is not a content this version knows.`)
    else problems.push(...ownProblems(item, have, settings).map((problem) => `items[${index}].${problem}`))
  }
  return problems
}
