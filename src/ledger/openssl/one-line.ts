/** Subjects as openssl's CA database writes them: X509_NAME_oneline (openssl 3.0, crypto/x509/x509_obj.c). Pure. */

import { children, expectTag, readOid, readOnly, Tag } from '../../pki/encoding/der.ts'

/**
 * openssl's short names of what occurs in names, by OID (`openssl list -objects`); everything else is written as its
 * dotted OID. The arcs 2.5.4 and 0.9.2342.19200300.100.1 are given by their last number.
 */
const x520: Readonly<Record<number, string>> = {
  3: 'CN',
  4: 'SN',
  5: 'serialNumber',
  6: 'C',
  7: 'L',
  8: 'ST',
  9: 'street',
  10: 'O',
  11: 'OU',
  12: 'title',
  13: 'description',
  14: 'searchGuide',
  15: 'businessCategory',
  16: 'postalAddress',
  17: 'postalCode',
  18: 'postOfficeBox',
  19: 'physicalDeliveryOfficeName',
  20: 'telephoneNumber',
  21: 'telexNumber',
  22: 'teletexTerminalIdentifier',
  23: 'facsimileTelephoneNumber',
  24: 'x121Address',
  25: 'internationaliSDNNumber',
  26: 'registeredAddress',
  27: 'destinationIndicator',
  28: 'preferredDeliveryMethod',
  29: 'presentationAddress',
  30: 'supportedApplicationContext',
  31: 'member',
  32: 'owner',
  33: 'roleOccupant',
  34: 'seeAlso',
  35: 'userPassword',
  36: 'userCertificate',
  37: 'cACertificate',
  41: 'name',
  42: 'GN',
  43: 'initials',
  44: 'generationQualifier',
  45: 'x500UniqueIdentifier',
  46: 'dnQualifier',
  47: 'enhancedSearchGuide',
  48: 'protocolInformation',
  49: 'distinguishedName',
  50: 'uniqueMember',
  51: 'houseIdentifier',
  54: 'dmdName',
  65: 'pseudonym',
  72: 'role',
  97: 'organizationIdentifier',
  98: 'c3',
  99: 'n3',
  100: 'dnsName',
}

const pilot: Readonly<Record<number, string>> = {
  1: 'UID',
  2: 'textEncodedORAddress',
  3: 'mail',
  4: 'info',
  5: 'favouriteDrink',
  6: 'roomNumber',
  8: 'userClass',
  9: 'host',
  10: 'manager',
  20: 'homeTelephoneNumber',
  21: 'secretary',
  22: 'otherMailbox',
  25: 'DC',
  37: 'associatedDomain',
  38: 'associatedName',
  39: 'homePostalAddress',
  40: 'personalTitle',
  41: 'mobileTelephoneNumber',
  42: 'pagerTelephoneNumber',
  43: 'friendlyCountryName',
  44: 'uid',
  45: 'organizationalStatus',
  48: 'buildingName',
}

const arc = (prefix: string, names: Readonly<Record<number, string>>): [string, string][] =>
  Object.entries(names).map(([last, name]) => [`${prefix}.${last}`, name])

export const shortNames: ReadonlyMap<string, string> = new Map([
  ...arc('2.5.4', x520),
  ...arc('0.9.2342.19200300.100.1', pilot),
  ['1.2.840.113549.1.9.1', 'emailAddress'],
  ['1.2.840.113549.1.9.2', 'unstructuredName'],
  ['1.2.840.113549.1.9.8', 'unstructuredAddress'],
  ['1.3.6.1.4.1.311.60.2.1.1', 'jurisdictionL'],
  ['1.3.6.1.4.1.311.60.2.1.2', 'jurisdictionST'],
  ['1.3.6.1.4.1.311.60.2.1.3', 'jurisdictionC'],
])

/**
 * `/C=DE/O=Acme/CN=b` of a DER Name. Every byte of a value outside visible ASCII is `\xHH`, `/` and `+` have a backslash,
 * a backslash has none, so that it cannot always be read back. `+` joins what stands in one RDN. Throws DerError.
 */
export const oneLine = (name: Uint8Array): string =>
  children(readOnly(name, Tag.sequence))
    .map((relative) => `/${children(expectTag(relative, Tag.set)).map(attribute).join('+')}`)
    .join('')

const attribute = (element: Parameters<typeof children>[0]): string => {
  const [type, value] = children(expectTag(element, Tag.sequence))
  if (type === undefined || value === undefined) return ''
  const dotted = readOid(type)
  return `${shortNames.get(dotted) ?? dotted}=${escaped(value.contents)}`
}

const escaped = (bytes: Uint8Array): string => {
  let text = ''
  for (const byte of bytes) {
    const character = String.fromCharCode(byte)
    if (byte < 0x20 || byte > 0x7e) text += `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`
    else if (character === '/' || character === '+') text += `\\${character}`
    else text += character
  }
  return text
}
