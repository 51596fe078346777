/** Hostile and odd requests as openssl makes them, with the verdict of each. Not imported by the program. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodePem } from '../encoding/pem.ts'
import type { Corpus, Row } from './request.corpus.fixture.ts'
import { openssl } from '../testing.ts'

/** Arguments of `openssl req -new`, and of `openssl genpkey` where the key is a new one. */
export interface Asked {
  /** Default: ec. */
  readonly key?: 'ec' | 'rsa' | 'ed' | 'ca' | readonly string[]
  /** Default: /O=Acme/CN=orders. */
  readonly subject?: string
  readonly san?: string
  readonly extensions?: readonly string[]
  readonly options?: readonly string[]
  /** Done to the text afterwards. */
  readonly edit?: (pem: string) => string
}

/** A folder with the corpus's keys, and requests made there. */
export const opensslRequests = (corpus: Corpus) => {
  const folder = mkdtempSync(join(tmpdir(), 'dbtls-requests-'))
  for (const [name, { pkcs8 }] of Object.entries({ ...corpus.keys, ca: corpus.root.key }))
    writeFileSync(join(folder, `${name}.key`), encodePem('PRIVATE KEY', pkcs8))
  const made = ({
    key = 'ec',
    subject = '/O=Acme/CN=orders',
    san,
    extensions = [],
    options = [],
    edit,
  }: Asked): string => {
    const file = join(folder, typeof key === 'string' ? `${key}.key` : 'new.key')
    if (typeof key !== 'string') openssl(['genpkey', ...key, '-quiet', '-out', file])
    const added = [...(san === undefined ? [] : [`subjectAltName=${san}`]), ...extensions]
    const asked = added.flatMap((text) => ['-addext', text])
    const pem = openssl(['req', '-new', '-utf8', '-key', file, '-subj', subject, ...asked, ...options])
    return edit === undefined ? pem : edit(pem)
  }
  return { made, remove: () => rmSync(folder, { recursive: true }) }
}

const rsaKey = (...options: readonly string[]): string[] => [
  '-algorithm',
  'RSA',
  ...options.flatMap((option) => ['-pkeyopt', option]),
]
const ecKey = (...options: readonly string[]): string[] => ['-algorithm', 'EC', ...rsaKey(...options).slice(2)]

const orders = 'DNS:orders.data.svc'
const db = '/O=Acme/CN=db.example.com'
const fourTypes = `${orders},IP:10.1.2.3,URI:spiffe://cluster.local/ns/data/sa/orders,email:dba@example.com`

export const opensslRows: readonly Row<Asked>[] = [
  ['an EC key', { san: orders }, 'signed', orders],
  ['an RSA key', { key: 'rsa', san: orders }, 'signed', orders],
  ['an Ed25519 key', { key: 'ed', san: orders }, 'signed', orders],
  ['names of all four types', { san: fourTypes }, 'signed', fourTypes.replace('email', 'Email').replaceAll(',', ' ')],
  ['a server named by its CN alone', { subject: db }, 'signed', 'DNS:db.example.com'],
  ['text before the PEM', { san: orders, options: ['-text'] }, 'signed', orders],
  ['CRLF', { san: orders, edit: (pem) => pem.replaceAll('\n', '\r\n') }, 'signed', orders],
  ['a byte order mark', { san: orders, edit: (pem) => `\ufeff${pem}` }, 'signed', orders],
  ['the old PEM label', { san: orders, options: ['-newhdr'] }, 'signed', orders],
  ['capitals', { san: 'DNS:Orders.DATA.svc' }, 'signed', orders],
  ['a trailing dot', { san: 'DNS:orders.data.svc.' }, 'signed', orders],
  ['a name twice', { san: `${orders},${orders}` }, 'signed', orders],
  ['SHA-384', { san: orders, options: ['-sha384'] }, 'signed', orders],
  ['a comment', { san: orders, extensions: ['nsComment=hello'] }, 'signed', orders],
  ['CA:FALSE', { san: orders, extensions: ['basicConstraints=critical,CA:FALSE'] }, 'signed', orders],
  [
    'keyEncipherment with EC',
    { san: orders, extensions: ['keyUsage=digitalSignature,keyEncipherment'] },
    'signed',
    orders,
  ],
  ['a usage of servers', { san: orders, extensions: ['extendedKeyUsage=serverAuth'] }, 'signed', orders],
  ['CA:TRUE', { extensions: ['basicConstraints=CA:TRUE'] }, 'refused', 'CA:TRUE'],
  ['keyCertSign', { extensions: ['keyUsage=keyCertSign'] }, 'refused', 'keyCertSign'],
  ['cRLSign', { extensions: ['keyUsage=cRLSign'] }, 'refused', 'cRLSign'],
  ['any extended usage', { extensions: ['extendedKeyUsage=anyExtendedKeyUsage'] }, 'refused', 'any extended'],
  ['OCSP signing', { extensions: ['extendedKeyUsage=OCSPSigning'] }, 'refused', 'OCSPSigning'],
  ['an unknown usage', { extensions: ['extendedKeyUsage=1.2.3.4'] }, 'refused', '1.2.3.4'],
  ['name constraints', { extensions: ['nameConstraints=permitted;DNS:x'] }, 'refused', 'name constraints'],
  [
    'policy constraints',
    { extensions: ['policyConstraints=requireExplicitPolicy:0'] },
    'refused',
    'policy constraints',
  ],
  [
    'a critical unknown extension',
    { extensions: ['1.2.3.4=critical,DER:0500'] },
    'refused',
    'critical extension 1.2.3.4',
  ],
  ['an otherName', { san: 'otherName:1.3.6.1.4.1.311.20.2.3;UTF8:root@evil.example' }, 'refused', 'other types'],
  ['a registered identifier', { san: `${orders},RID:1.2.3` }, 'refused', 'other types'],
  ['RSA of 1024 bits', { key: rsaKey('rsa_keygen_bits:1024') }, 'refused', 'has 1024 bits'],
  ['e = 3', { key: rsaKey('rsa_keygen_bits:2048', 'rsa_keygen_pubexp:3') }, 'refused', 'RSA key is 3;'],
  [
    'explicit curve parameters',
    { key: ecKey('ec_paramgen_curve:P-256', 'ec_param_enc:explicit') },
    'refused',
    'explicit',
  ],
  ['secp256k1', { key: ecKey('ec_paramgen_curve:secp256k1') }, 'refused', '1.3.132.0.10'],
  ['an Ed448 key', { key: ['-algorithm', 'ED448'] }, 'refused', '1.3.101.113'],
  [
    'an RSA-PSS key',
    { key: ['-algorithm', 'RSA-PSS', ...rsaKey('rsa_keygen_bits:2048').slice(2)] },
    'refused',
    '113549.1.1.10',
  ],
  ['an RSA-PSS signature', { key: 'rsa', options: ['-sigopt', 'rsa_padding_mode:pss'] }, 'refused', 'is of the type'],
  ['SHA-1', { key: 'rsa', options: ['-sha1'] }, 'refused', 'SHA-1'],
  ["the CA's own key", { key: 'ca', san: orders }, 'refused', 'key of a CA'],
  ['nothing named', { subject: '/' }, 'refused', 'names nothing'],
  ['a wildcard not at the left', { san: 'DNS:db.*.data.svc' }, 'refused', 'left-most label'],
  ['an address as a DNS name', { san: 'DNS:10.1.2.3' }, 'refused', 'is an IP address'],
  ['a DNS name outside', { san: 'DNS:evil.example' }, 'constraints', '"evil.example" is outside'],
  ['one good name and one bad', { san: `${orders},DNS:evil.example` }, 'constraints', '"evil.example" is outside'],
  ['a DNS name that only ends alike', { san: 'DNS:evildata.svc' }, 'constraints', '"evildata.svc" is outside'],
  ['an excluded DNS name', { san: 'DNS:BAD.data.svc' }, 'constraints', '"bad.data.svc" is excluded'],
  ['a wildcard over an excluded name', { san: 'DNS:*.data.svc' }, 'constraints', 'excluded'],
  ['an address outside', { san: 'IP:192.0.2.1' }, 'constraints', '"192.0.2.1" is outside'],
  ['an excluded address', { san: 'IP:10.9.0.1' }, 'constraints', 'excluded'],
  ['an IPv4-mapped address', { san: 'IP:::ffff:10.1.2.3' }, 'constraints', 'outside'],
  ['a URI with a user like a host', { san: 'URI:https://cluster.local@evil.example/' }, 'constraints', 'outside'],
  ['a URI without a host', { san: 'URI:urn:uuid:1' }, 'constraints', 'cannot be checked'],
  ['a mailbox outside', { san: 'email:root@evil.example' }, 'constraints', 'outside'],
  [
    'a mailbox in the subject',
    { subject: '/O=Acme/CN=orders/emailAddress=root@evil.example' },
    'constraints',
    'emailAddress',
  ],
  [
    'a host in the CN beside good names',
    { subject: '/O=Acme/CN=evil.example', san: orders },
    'constraints',
    'common name "evil.example"',
  ],
  [
    'a host with a dot at its end in the CN',
    { subject: '/O=Acme/CN=evil.example.', san: orders },
    'constraints',
    'common name',
  ],
  ['a wildcard in the CN', { subject: '/O=Acme/CN=*.evil.example', san: orders }, 'constraints', 'common name'],
  ['an address in the CN', { subject: '/O=Acme/CN=192.0.2.1', san: orders }, 'constraints', 'common name'],
  ['a name one label too deep', { san: 'DNS:a.orders.data.svc' }, 'policy', 'policy.allowedDNSNames'],
  [
    'a second CN that is a host',
    { subject: '/O=Acme/CN=x.example.com/CN=orders', san: orders },
    'policy',
    '"x.example.com"',
  ],
  [
    'another organisation',
    { subject: '/O=Evil/CN=orders', san: orders },
    'policy',
    'policy.subject.organizations is Match',
  ],
  [
    'the organisation in capitals',
    { subject: '/O=ACME/CN=orders', san: orders },
    'policy',
    'policy.subject.organizations is Match',
  ],
  ['a second organisation', { subject: '/O=Acme/O=Evil/CN=orders', san: orders }, 'policy', '"Evil"'],
  ['no organisation', { subject: '/CN=orders', san: orders }, 'policy', 'the subject has no O'],
  ['no common name', { subject: '/O=Acme', san: orders }, 'policy', 'policy.subject.commonName is Supplied'],
  [
    'an attribute that is not listed',
    { subject: '/O=Acme/L=Berlin/CN=orders', san: orders },
    'policy',
    'attribute L ("Berlin")',
  ],
  ['an address outside the policy', { san: 'IP:10.2.0.1' }, 'policy', 'policy.allowedIPRanges'],
  ['a path that climbs', { san: 'URI:spiffe://cluster.local/ns/data/../evil' }, 'policy', 'policy.allowedURIs'],
  ['another mailbox', { san: 'email:ceo@example.com' }, 'policy', 'policy.allowedEmailAddresses'],
]
