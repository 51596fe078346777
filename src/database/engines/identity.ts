/** How an engine learns from a certificate who a client is. */
import { formatDistinguishedName, readName, distinguishedName } from '../../pki/names/names.ts'
import { attributeTypes } from '../../pki/names/attributes.ts'
import type { Account, Finding, Holder, Identity, Subject } from './engine.ts'

/** X.520 ub-common-name. */
const maxCommonName = 64

/** Letters, digits and a few marks that no dialect of DNs escapes. */
const plain = /^[A-Za-z0-9]([A-Za-z0-9 ._@-]*[A-Za-z0-9])?$/

/** For engines that ask nothing of the name: the user where it is short and plain, else the client's name, which always is. */
export const plainCommonName = ({ username, name }: Account): string =>
  plain.test(username) && username.length <= maxCommonName ? username : name

export const freeIdentity = (account: Account): Identity => ({ subject: { commonName: plainCommonName(account) } })

/** For engines in which the common name is the user. `form` and `words` say which users there can be. */
export const nameIsUser =
  (engine: string, form: RegExp, words: string) =>
  ({ username }: Pick<Account, 'username'>): Identity => {
    const refused = (problem: string, cure: string): Identity => ({ refused: { problem, cure } })
    if (Array.from(username).length > maxCommonName)
      return refused(
        `${engine} knows a user by the common name, which holds ${maxCommonName} characters at most`,
        'choose a shorter username',
      )
    if (!form.test(username))
      return refused(
        `${engine} knows a user by the common name, and takes ${words} there`,
        `use ${words} in the username`,
      )
    return { subject: { commonName: username } }
  }

/** Where a pattern takes the user out of a DN: what no dialect escapes there. */
export const userInName = (engine: string): ((account: Pick<Account, 'username'>) => Identity) =>
  nameIsUser(engine, /^[A-Za-z0-9._@-]+$/, 'letters, digits, ".", "_", "@" and "-"')

/** X.520 ub-organizational-unit-name. */
const maxUnit = 64

/**
 * For engines that know servers, administrators or users by the whole subject: its unit names the cluster and says which of them
 * it is, so that no subject can stand for another kind or another cluster.
 */
export const knownByUnit = (
  engine: string,
  kind: string,
  { namespace, profile }: Holder,
  commonName: string,
): Identity => {
  const unit = `${kind}.${namespace}.${profile}`
  return unit.length > maxUnit
    ? {
        refused: {
          problem: `"${kind}.", namespace and name make an organizational unit of more than ${maxUnit} characters, by which ${engine} knows its ${kind}`,
          cure: 'give the profile a shorter name',
        },
      }
    : { subject: { commonName, organizationalUnits: [unit] } }
}

/** `CN=app,OU=clients,O=Acme`: RFC 2253, beginning with the last part of the DER. */
export const commaForm = (subject: Subject): string => formatDistinguishedName(distinguishedName(subject))

/** openssl's short names, which differ from those of RFC 4514 in a few. */
const onelineNames = new Map<string, string>([
  ...Object.entries(attributeTypes).map(([name, { oid }]): [string, string] => [oid, name]),
  [attributeTypes.EMAILADDRESS.oid, 'emailAddress'],
  [attributeTypes.STREET.oid, 'street'],
  [attributeTypes.SERIALNUMBER.oid, 'serialNumber'],
])

/** How slashes, plus signs and what is not ASCII are printed hangs on the build of OpenSSL (seen to change with 3.0). */
const unambiguous = /^[ -*,.0-~-]*$/

/**
 * `/O=Acme, Inc./OU=db/CN=app`: X509_NAME_oneline, which MySQL, MariaDB and TiDB compare with REQUIRE SUBJECT and ISSUER, in the
 * order of the DER (measured on MariaDB 10.11). undefined where its text would depend on the build of OpenSSL.
 */
export const onelineForm = (name: Uint8Array): string | undefined => {
  const parts: string[] = []
  for (const relative of readName(name)) {
    const [attribute, ...more] = relative
    const title = attribute === undefined ? undefined : onelineNames.get(attribute.oid)
    if (attribute?.text === undefined || title === undefined || more.length > 0) return undefined
    if (!unambiguous.test(attribute.text) || attribute.text.includes('\\')) return undefined
    parts.push(`/${title}=${attribute.text}`)
  }
  return parts.join('')
}

// oxlint-disable-next-line no-control-regex -- these are what is refused
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

/** What no engine has a use for in the name of a user or a database, and no file could hold on one line. */
export const textFinding = (what: string, text: string): Finding | undefined => {
  if (controls.test(text))
    return { problem: `the ${what} holds a control character, such as a line break or NUL`, cure: 'remove it' }
  if (!text.isWellFormed()) return { problem: `the ${what} is not valid Unicode`, cure: 'write it anew' }
  if (text === '') return { problem: `the ${what} is empty`, cure: 'leave the field out, or give it a value' }
  if (text !== text.trim()) return { problem: `the ${what} begins or ends with a blank`, cure: 'remove it' }
  return undefined
}
