/** What goes into a Secret: from items and ingredients to bytes. */
import { KeyError, spkiOf } from '../pki/keys/keys.ts'
import { CertificateError, parseCertificate } from '../pki/certificates/parse.ts'
import type { ContentName, EncodeSettings, Ingredients, OutputItem } from './content-table.ts'
import { ContentError, contents, effectiveChoices } from './content-table.ts'
import type { Random } from './keystore.ts'
import { KeystoreError } from './keystore.ts'

export type { ContentName, EncodeSettings, Ingredients, KeyEncoding, OutputItem } from './content-table.ts'
export { ContentError } from './content-table.ts'
export { itemProblems } from './items.ts'

export const contentNeedsPassword = (name: ContentName): boolean => contents[name].uses.includes('password')
/** Whether it says anything of a certificate, and not only of its authority. */
export const contentOfCertificate = (name: ContentName): boolean =>
  contents[name].uses.includes('certificate') || contents[name].uses.includes('privateKey')
export const contentNeedsPrivateKey = (name: ContentName): boolean => contents[name].uses.includes('privateKey')

/** A Secret whose key does not fit its certificate is an outage: better no new Secret than that one. */
const requireMatchingKey = ({ certificate, privateKey }: Ingredients): void => {
  if (privateKey === undefined) return
  if (Buffer.compare(spkiOf(privateKey), parseCertificate(certificate).spki) !== 0)
    throw new ContentError('The private key does not belong to the certificate.')
}

/**
 * The bytes of every item, by its key, in the order of `items`. Salted contents differ at each call: compare
 * `inputsHash` (hash.ts), not the bytes, to learn whether they have to be written again.
 * Throws ContentError where an ingredient is missing or does not fit.
 */
export const encodeContents = async (
  items: readonly OutputItem[],
  ingredients: Ingredients,
  settings: EncodeSettings,
  random: Random,
): Promise<ReadonlyMap<string, Uint8Array>> => {
  if (items.some((item) => contentNeedsPrivateKey(item.content))) requireMatchingKey(ingredients)
  const encoded = new Map<string, Uint8Array>()
  for (const item of items) encoded.set(item.key, await encodeItem(item, ingredients, settings, random))
  return encoded
}

const encodeItem = async (
  item: OutputItem,
  ingredients: Ingredients,
  settings: EncodeSettings,
  random: Random,
): Promise<Uint8Array> => {
  const {
    alias = '',
    pkcs12Profile = settings.pkcs12Profile,
    encoding = settings.encoding,
  } = effectiveChoices(item, settings)
  try {
    return await contents[item.content].encode(ingredients, { alias, pkcs12Profile, encoding, random })
  } catch (error) {
    if (!isAboutContent(error)) throw error
    throw new ContentError(
      `${item.content} under "${item.key}" cannot be written: ${error.message.replace(/\.$/, '')}.`,
    )
  }
}

const isAboutContent = (error: unknown): error is Error =>
  [ContentError, KeystoreError, KeyError, CertificateError].some((kind) => error instanceof kind)
