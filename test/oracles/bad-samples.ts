/** Samples that the program never makes, each with one fault, and by whom it is found: the table of profile.test.ts. */
import { issueCertificate } from '../../src/pki/certificates/certificate.ts'
import { children, concat, integer, readOnly, sequence, Tag, tlv } from '../../src/pki/encoding/der.ts'
import { nameConstraints } from '../../src/pki/constraints/name-constraints.ts'
import { distinguishedName, emptyName } from '../../src/pki/names/names.ts'
import type { CertificatePlan, GeneralName } from '../../src/pki/plan.ts'
import {
  adding,
  authorityOf,
  type Authority,
  critical,
  day,
  field,
  type Forgery,
  forge,
  host,
  makeAuthority,
  newKey,
  now,
  p256,
  planLeaf,
  replacing,
  tampered,
  without,
} from './forge.ts'
import { badLists } from './bad-lists.ts'
import { type BadSample, leafUnder } from './bad-sample.ts'

const subjectKeyId = '2.5.29.14'
const alternativeName = '2.5.29.17'
const authorityKeyId = '2.5.29.35'

const leaf =
  (changes: Partial<CertificatePlan>, forgery?: Forgery): BadSample['make'] =>
  async () =>
    leafUnder(await makeAuthority({ pathLength: 0 }), changes, forgery)

const ca: Partial<CertificatePlan> = {
  basicConstraints: { ca: true },
  keyUsage: ['keyCertSign', 'cRLSign'],
}

/** An intermediate that is bound, and a leaf that does not keep to it. */
const constrained =
  (names: readonly GeneralName[], between: boolean): BadSample['make'] =>
  async () => {
    const constraints = nameConstraints({
      permitted: { dnsDomains: ['data.svc'], ipRanges: ['10.0.0.0/8'] },
      excluded: { emailAddresses: ['example.com'] },
    })
    const authority = between
      ? await makeAuthority({ under: await makeAuthority(), nameConstraints: constraints })
      : await makeAuthority({ nameConstraints: constraints })
    return { ...(await leafUnder(authority, { subjectAlternativeNames: names })), plan: plannedWith(authority, names) }
  }

const plannedWith = ({ signer }: Authority, subjectAlternativeNames: readonly GeneralName[]): CertificatePlan => ({
  ...planLeaf({ signer }, { algorithm: p256, pkcs8: new Uint8Array(), spki: signer.spki }),
  subjectAlternativeNames,
})

const dns = (value: string): GeneralName => ({ type: 'DNS', value })

const certificates: readonly BadSample[] = [
  {
    name: 'leaf that outlives its CA',
    foundBy: 'own',
    make: async () => leafUnder(await makeAuthority({ duration: 30 * day })),
  },
  {
    name: 'CA that outlives its CA',
    foundBy: 'own',
    make: async () => {
      const root = await makeAuthority({ duration: 30 * day })
      const free = { ...root, signer: { ...root.signer, notAfter: Infinity } }
      return leafUnder(await makeAuthority({ under: free, duration: 60 * day }), { notAfter: now + 10 * day })
    },
  },
  {
    name: 'CA below path length 0',
    foundBy: 'openssl gnutls nss java go python own',
    make: async () => {
      const top = await makeAuthority({ under: await makeAuthority(), pathLength: 0 })
      const free = { ...top, signer: { ...top.signer, pathLength: undefined } }
      const { signer, key } = await makeAuthority()
      const plan = { ...planLeaf(free, key), ...ca, extendedKeyUsage: [], subject: signer.subject }
      const certificate = await forge(plan, free.signer)
      return leafUnder({ signer, key, certificate, chain: [certificate, ...top.chain] })
    },
  },
  {
    name: 'leaf that is a CA below path length 0',
    foundBy: 'nss python own',
    make: async () =>
      leafUnder(await makeAuthority({ under: await makeAuthority(), pathLength: 0 }), {
        ...ca,
        keyUsage: ['digitalSignature', 'keyCertSign'],
      }),
  },
  {
    name: 'DNS name outside of the CA',
    foundBy: 'openssl gnutls nss java go python own',
    make: constrained([dns(host), dns('db.elsewhere.example')], true),
  },
  {
    name: 'DNS name outside of the root',
    foundBy: 'openssl gnutls nss go python own',
    make: constrained([dns(host), dns('db.other.example')], false),
  },
  {
    name: 'IP address outside of the CA',
    foundBy: 'openssl gnutls nss java go python own',
    make: constrained([dns(host), { type: 'IP', value: '192.0.2.7' }], true),
  },
  {
    name: 'excluded email address',
    foundBy: 'openssl gnutls nss java go python own',
    make: constrained([dns(host), { type: 'Email', value: 'dba@example.com' }], true),
  },
  {
    name: 'AKI of another CA',
    foundBy: 'openssl gnutls nss java pkilint own',
    make: leaf({ authorityKeyId: new Uint8Array(20).fill(7) }),
  },
  { name: 'no AKI', foundBy: 'openssl python zlint pkilint own', make: leaf({}, without(authorityKeyId)) },
  { name: 'no SKI in the leaf', foundBy: 'zlint pkilint own', make: leaf({}, without(subjectKeyId)) },
  {
    name: 'no SKI in the CA',
    foundBy: 'openssl zlint pkilint own',
    make: async () => leafUnder(await makeAuthority({ forged: without(subjectKeyId) })),
  },
  {
    name: 'tampered leaf',
    foundBy: 'openssl gnutls nss java go python pkilint own',
    make: async () => {
      const { chain, ...sample } = await leafUnder(await makeAuthority())
      const [first, ...others] = chain
      return { ...sample, chain: [tampered(first ?? new Uint8Array()), ...others] }
    },
  },
  {
    name: 'leaf signed by another key',
    foundBy: 'openssl gnutls nss java go python pkilint own',
    make: async () => {
      const authority = await makeAuthority()
      const { sign } = (await makeAuthority()).signer
      return leafUnder({ ...authority, signer: { ...authority.signer, sign } })
    },
  },
  {
    name: 'issuer in another encoding',
    foundBy: 'gnutls nss go python own',
    make: async () => {
      const name = (tag: number): Uint8Array =>
        sequence(tlv(Tag.set, sequence(Uint8Array.of(6, 3, 0x55, 4, 3), tlv(tag, Buffer.from('Orders CA')))))
      const authority = await makeAuthority({ subject: name(Tag.utf8String) })
      return leafUnder(authority, {}, replacing(field.issuer, name(Tag.printableString)))
    },
  },
  {
    name: 'CA without keyCertSign',
    foundBy: 'openssl gnutls nss java go python pkilint own',
    make: async () => {
      const root = await makeAuthority()
      const key = await newKey()
      const subject = distinguishedName({ commonName: 'No signatures' })
      const plan = { ...planLeaf(root, key), ...ca, keyUsage: ['cRLSign'] as const, subject, extendedKeyUsage: [] }
      const certificate = await forge(plan, root.signer)
      return leafUnder(await authorityOf(key, certificate, root))
    },
  },
  {
    name: 'leaf signed by a leaf',
    foundBy: 'openssl gnutls nss java go python own',
    make: async () => {
      const root = await makeAuthority()
      const key = await newKey()
      const certificate = (await issueCertificate(planLeaf(root, key), root.signer)).der
      return leafUnder(await authorityOf(key, certificate, root))
    },
  },
  {
    name: 'client as a server',
    foundBy: 'openssl gnutls nss go python',
    make: leaf({ extendedKeyUsage: ['clientAuth'] }),
  },
  {
    name: 'another host',
    foundBy: 'openssl gnutls go python own',
    make: leaf({ subjectAlternativeNames: [dns('other.data.svc')] }),
  },
  {
    name: 'name that nobody planned',
    foundBy: 'own',
    make: leaf({ subjectAlternativeNames: [dns(host), dns('more.data.svc')] }),
  },
  {
    name: 'expired leaf',
    foundBy: 'openssl gnutls nss java go python own',
    make: leaf({ notBefore: now - 2000, notAfter: now - 1000 }),
  },
  {
    name: 'leaf of tomorrow',
    foundBy: 'openssl gnutls nss java go python own',
    make: leaf({ notBefore: now + 3 * day }),
  },
  {
    name: 'expired CA',
    foundBy: 'openssl gnutls nss go python own',
    make: async () => leafUnder(await makeAuthority({ at: now - 20 * day, duration: 10 * day })),
  },
  {
    name: 'alternative names that are not critical without a subject',
    foundBy: 'openssl java python zlint pkilint',
    make: leaf({ subject: emptyName }, critical(alternativeName, false)),
  },
  {
    name: 'unknown critical extension',
    foundBy: 'openssl gnutls nss java go python own',
    make: leaf({}, adding({ oid: '1.3.6.1.4.1.99999.1', critical: true, value: integer(1) })),
  },
  {
    name: 'keyEncipherment with EC',
    foundBy: 'zlint pkilint',
    make: leaf({ keyUsage: ['digitalSignature', 'keyEncipherment'] }),
  },
  {
    name: 'negative serial number',
    foundBy: 'go python zlint pkilint own',
    make: leaf({}, replacing(1, Uint8Array.of(2, 2, 0x80, 1))),
  },
  {
    name: 'serial number of 21 octets',
    foundBy: 'zlint pkilint',
    make: leaf({ serialNumber: new Uint8Array(21).fill(1) }),
  },
  {
    name: 'GeneralizedTime before 2050',
    foundBy: 'python zlint pkilint',
    make: leaf({}, (fields) => fields.with(field.validity, generalized(fields[field.validity]))),
  },
  { name: 'country of three letters', foundBy: 'pkilint', make: leaf({ subject: threeLetters() }) },
  {
    name: 'basic constraints that are not critical in a CA',
    foundBy: 'openssl python zlint pkilint',
    make: async () => leafUnder(await makeAuthority({ forged: critical('2.5.29.19', false) })),
  },
]

function threeLetters(): Uint8Array {
  const country = sequence(Uint8Array.of(6, 3, 0x55, 4, 6), tlv(Tag.printableString, Buffer.from('DEU')))
  return sequence(tlv(Tag.set, country))
}

/** Both times of a validity, with the century. */
const generalized = (validity: Uint8Array = emptyName): Uint8Array =>
  sequence(
    ...children(readOnly(validity)).map(({ contents }) =>
      tlv(Tag.generalizedTime, concat([Buffer.from('20'), contents])),
    ),
  )

export const badSamples: readonly BadSample[] = [...certificates, ...badLists]
