/** The half of the corpus of requests that openssl does not make, put together by hand. Not imported by the program. */

import {
  ascii,
  bitString,
  bmpString,
  boolean,
  contextConstructed,
  contextPrimitive,
  ia5String,
  integer,
  nullValue,
  octetString,
  oid,
  printableString,
  sequence,
  setOf,
  Tag,
  tlv,
  utf8String,
} from '../encoding/der.ts'
import { distinguishedName } from '../names/names.ts'
import { encodePem } from '../encoding/pem.ts'
import { acme, type Corpus, dns, good, type HandMade, named, type Row } from './request.corpus.fixture.ts'
import { attribute, extension, extensionRequest, makeRequest } from './request.fixture.ts'

const usage = (bits: number): Uint8Array => extension('2.5.29.15', bitString(Uint8Array.of(bits), 0), true)
const relative = (id: string, value: Uint8Array): Uint8Array => setOf(sequence(oid(id), value))
const subjectWith = (...more: Uint8Array[]): Uint8Array =>
  sequence(relative('2.5.4.10', printableString('Acme')), ...more)
const commonName = (value: Uint8Array): Uint8Array => subjectWith(relative('2.5.4.3', value))

/** Nested SEQUENCEs; the reader must not follow them down. */
const nested = (depth: number): Uint8Array => {
  let value = nullValue
  for (let i = 0; i < depth; i += 1) value = sequence(value)
  return value
}

/** A row's input is made from the corpus. */
export const byHandRows: readonly Row<(handMade: HandMade, corpus: Corpus) => string | Uint8Array>[] = [
  ['a request by hand', (handMade) => handMade(), 'signed', 'DNS:orders.data.svc'],
  ['an Ed25519 request by hand', (handMade) => handMade({}, 'ed'), 'signed', 'DNS:orders.data.svc'],
  [
    'a challenge password',
    (handMade) =>
      handMade({
        attributes: [attribute('1.2.840.113549.1.9.7', utf8String('secret')), extensionRequest(good)],
      }),
    'signed',
    'DNS:orders.data.svc',
  ],
  [
    "Microsoft's list of extensions",
    (handMade) => handMade({ attributes: [attribute('1.3.6.1.4.1.311.2.1.14', sequence(good))] }),
    'signed',
    'DNS:orders.data.svc',
  ],
  [
    'a UTF8String in the subject',
    (handMade) => handMade({ subject: commonName(utf8String('Zoë')) }),
    'signed',
    'DNS:orders.data.svc',
  ],
  ['empty text', () => '', 'unreadable', 'no PEM certificate request'],
  ['empty bytes', () => new Uint8Array(), 'unreadable', 'ends before'],
  ['two requests', (handMade) => encodePem('CERTIFICATE REQUEST', handMade()).repeat(2), 'unreadable', 'more than one'],
  [
    'a private key beside it',
    (handMade, corpus) => encodePem('CERTIFICATE REQUEST', handMade()) + encodePem('PRIVATE KEY', corpus.keys.ec.pkcs8),
    'unreadable',
    'PRIVATE KEY',
  ],
  [
    'a certificate instead',
    (_, corpus) => encodePem('CERTIFICATE', corpus.root.certificate),
    'unreadable',
    'CERTIFICATE',
  ],
  [
    'a certificate under the label of a request',
    (_, corpus) => encodePem('CERTIFICATE REQUEST', corpus.root.certificate),
    'unreadable',
    'cannot be read',
  ],
  [
    'no END line',
    (handMade) => encodePem('CERTIFICATE REQUEST', handMade()).replace(/-----END.*/, ''),
    'unreadable',
    'no END line',
  ],
  ['five megabytes of text', () => 'a'.repeat(5_000_000), 'unreadable', 'characters'],
  ['a megabyte of DER', () => octetString(new Uint8Array(1_000_000)), 'unreadable', 'bytes; at most'],
  ['bytes behind it', (handMade) => Buffer.concat([handMade(), Buffer.of(0)]), 'unreadable', 'bytes follow'],
  [
    'bytes behind its information',
    (handMade) => {
      const der = handMade()
      return tlv(Tag.sequence, der.subarray(4), nullValue)
    },
    'unreadable',
    'cannot be read',
  ],
  [
    'indefinite length',
    (handMade) => Buffer.concat([Buffer.of(0x30, 0x80), handMade().subarray(4), Buffer.of(0, 0)]),
    'unreadable',
    'indefinite',
  ],
  [
    'a length that is not minimal',
    (handMade) => {
      const der = handMade()
      return Buffer.concat([Buffer.of(0x30, 0x83, 0), der.subarray(2)])
    },
    'unreadable',
    'not minimal',
  ],
  ['version 2', (handMade) => handMade({ version: 1 }), 'unreadable', 'version'],
  [
    'an attribute without a value',
    (handMade) => handMade({ attributes: [sequence(oid('1.2.840.113549.1.9.14'), setOf())] }),
    'unreadable',
    'exactly one value',
  ],
  [
    'an attribute with two values',
    (handMade) => handMade({ attributes: [attribute('1.2.840.113549.1.9.14', sequence(good), sequence())] }),
    'unreadable',
    'exactly one value',
  ],
  [
    'a thousand attributes',
    (handMade) => handMade({ attributes: Array.from({ length: 1000 }, () => attribute('1.2.3', nullValue)) }),
    'unreadable',
    'more than 32',
  ],
  [
    'a NUL in a DNS name',
    (handMade) => handMade({ extensions: [named(dns('orders.data.svc\0.evil.example'))] }),
    'unreadable',
    'printable',
  ],
  [
    'a line break in a DNS name',
    (handMade) => handMade({ extensions: [named(dns('orders.data.svc\nx'))] }),
    'unreadable',
    'printable',
  ],
  [
    'an address of five octets',
    (handMade) => handMade({ extensions: [named(contextPrimitive(7, new Uint8Array(5)))] }),
    'unreadable',
    'neither 4 nor 16',
  ],
  [
    'basic constraints that are none',
    (handMade) => handMade({ extensions: [extension('2.5.29.19', integer(1))] }),
    'unreadable',
    'cannot be read',
  ],
  [
    'basic constraints with BER true',
    (handMade) => handMade({ extensions: [extension('2.5.29.19', sequence(tlv(Tag.boolean, Uint8Array.of(1))))] }),
    'unreadable',
    'not DER',
  ],
  ['a public key that is none', (handMade) => handMade({ spki: sequence() }), 'unreadable', 'SubjectPublicKeyInfo'],
  [
    'deep nesting where a name stands',
    (handMade) => handMade({ subject: nested(10_000) }),
    'unreadable',
    'cannot be read',
  ],
  [
    'deep nesting in an unknown extension',
    (handMade) => handMade({ extensions: [good, extension('1.2.3', nested(10_000))] }),
    'signed',
    'DNS:orders.data.svc',
  ],
  [
    'deep nesting in an unknown attribute',
    (handMade) => handMade({ attributes: [attribute('1.2.3', nested(10_000)), extensionRequest(good)] }),
    'signed',
    'DNS:orders.data.svc',
  ],
  [
    'a damaged signature',
    (handMade) => handMade({ signature: (bytes) => bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte)) }),
    'refused',
    'does not verify',
  ],
  ['no signature', (handMade) => handMade({ signature: () => new Uint8Array() }), 'refused', 'does not verify'],
  ["somebody else's key", (handMade, corpus) => handMade({ spki: corpus.root.key.spki }), 'refused', 'key of a CA'],
  [
    'the key of another request',
    (_, corpus) => makeRequest(corpus.keys.ec, { subject: acme, spki: corpus.keys.ed.spki }),
    'refused',
    'another type than its key',
  ],
  [
    'a signature of an unknown type',
    (handMade) => handMade({ identifier: sequence(oid('1.2.3.4')) }),
    'refused',
    '1.2.3.4',
  ],
  [
    'strange parameters of the signature',
    (handMade) => handMade({ identifier: sequence(oid('1.2.840.10045.4.3.2'), integer(1)) }),
    'refused',
    'of the type unknown',
  ],
  [
    'MD5',
    (handMade) => handMade({ identifier: sequence(oid('1.2.840.113549.1.1.4'), nullValue) }, 'rsa'),
    'refused',
    'MD5',
  ],
  [
    'the same attribute twice',
    (handMade) => handMade({ attributes: [extensionRequest(good), extensionRequest(named(dns('evil.example')))] }),
    'refused',
    'attribute 1.2.840.113549.1.9.14 twice',
  ],
  [
    'the same extension twice',
    (handMade) => handMade({ extensions: [good, named(dns('evil.example'))] }),
    'refused',
    'extension 2.5.29.17 twice',
  ],
  [
    'both lists of extensions',
    (handMade) =>
      handMade({
        attributes: [
          extensionRequest(good),
          attribute('1.3.6.1.4.1.311.2.1.14', sequence(extension('2.5.29.19', sequence(boolean(true))))),
        ],
      }),
    'refused',
    'two lists',
  ],
  [
    'CA:TRUE in the list of Microsoft',
    (handMade) =>
      handMade({
        attributes: [attribute('1.3.6.1.4.1.311.2.1.14', sequence(extension('2.5.29.19', sequence(boolean(true)))))],
      }),
    'refused',
    'CA:TRUE',
  ],
  [
    'CA:TRUE with a path length',
    (handMade) => handMade({ extensions: [extension('2.5.29.19', sequence(boolean(true), integer(0)), true)] }),
    'refused',
    'CA:TRUE',
  ],
  ['every key usage', (handMade) => handMade({ extensions: [usage(0xff)] }), 'refused', 'keyCertSign'],
  [
    'a directory name as alternative name',
    (handMade) =>
      handMade({
        extensions: [
          named(dns('orders.data.svc'), contextConstructed(4, distinguishedName({ commonName: 'evil.example' }))),
        ],
      }),
    'refused',
    'other types',
  ],
  [
    '10,000 names',
    (handMade) => handMade({ extensions: [named(...Array.from({ length: 10_000 }, (_, i) => dns(`n${i}.data.svc`)))] }),
    'refused',
    '10000 names',
  ],
  [
    'a DNS name of 254 characters',
    (handMade) => handMade({ extensions: [named(dns(`${'a'.repeat(50)}.`.repeat(4) + 'b'.repeat(41) + '.data.svc'))] }),
    'refused',
    'at most 253',
  ],
  [
    'a second name behind a comma',
    (handMade) => handMade({ extensions: [named(dns('orders.data.svc,IP:192.0.2.1'))] }),
    'refused',
    'comma',
  ],
  ['an empty DNS name', (handMade) => handMade({ extensions: [named(dns(''))] }), 'refused', 'empty'],
  ['only a wildcard', (handMade) => handMade({ extensions: [named(dns('*'))] }), 'refused', '*'],
  [
    'an empty list of names',
    (_, corpus) => makeRequest(corpus.keys.ec, { subject: sequence(), extensions: [named()] }),
    'refused',
    'names nothing',
  ],
  [
    'a CN of 65 characters',
    (handMade) => handMade({ subject: commonName(utf8String('a'.repeat(65))) }),
    'refused',
    '65 characters',
  ],
  [
    'a NUL in the CN',
    (handMade) => handMade({ subject: commonName(utf8String('orders.data.svc\0.evil.example')) }),
    'refused',
    'control character',
  ],
  ['an empty CN', (handMade) => handMade({ subject: commonName(utf8String('')) }), 'refused', 'empty'],
  [
    'UTF-16 in the subject',
    (handMade) => handMade({ subject: commonName(bmpString('orders')) }),
    'refused',
    'UTF8String',
  ],
  [
    'TeletexString in the subject',
    (handMade) => handMade({ subject: commonName(tlv(Tag.teletexString, ascii('orders'))) }),
    'refused',
    'UTF8String',
  ],
  [
    'broken UTF-8 in the subject',
    (handMade) => handMade({ subject: commonName(tlv(Tag.utf8String, Uint8Array.of(0xc3))) }),
    'refused',
    'UTF8String',
  ],
  ['a number in the subject', (handMade) => handMade({ subject: commonName(integer(1)) }), 'refused', 'UTF8String'],
  [
    'characters that PrintableString has not',
    (handMade) => handMade({ subject: commonName(printableString('a@b')) }),
    'refused',
    'PrintableString',
  ],
  [
    'a country of three letters',
    (handMade) => handMade({ subject: subjectWith(relative('2.5.4.6', printableString('DEU'))) }),
    'refused',
    'country',
  ],
  ['an empty part of the subject', (handMade) => handMade({ subject: sequence(setOf()) }), 'refused', 'empty part'],
  [
    'parts in a wrong order',
    (handMade) =>
      handMade({
        subject: subjectWith(
          tlv(Tag.set, sequence(oid('2.5.4.3'), utf8String('orders')), sequence(oid('2.5.4.11'), utf8String('x'))),
        ),
      }),
    'refused',
    'not sorted',
  ],
  [
    'two CNs joined',
    (handMade) =>
      handMade({
        subject: subjectWith(
          setOf(sequence(oid('2.5.4.3'), utf8String('a')), sequence(oid('2.5.4.3'), utf8String('b'))),
        ),
      }),
    'refused',
    'joins two',
  ],
  [
    'a hundred parts',
    (handMade) =>
      handMade({
        subject: subjectWith(...Array.from({ length: 100 }, () => relative('2.5.4.11', utf8String('x')))),
      }),
    'refused',
    'longer than 64',
  ],
  [
    'an unknown attribute',
    (handMade) =>
      handMade({
        subject: subjectWith(relative('2.5.4.3', utf8String('orders')), relative('1.2.3.4', utf8String('x'))),
      }),
    'policy',
    'attribute 1.2.3.4',
  ],
  [
    'a mailbox in the subject as IA5String',
    (handMade) => handMade({ subject: subjectWith(relative('1.2.840.113549.1.9.1', ia5String('root@evil.example'))) }),
    'constraints',
    'emailAddress',
  ],
  [
    'a homoglyph of a host in the CN',
    (handMade) => handMade({ subject: commonName(utf8String('orders.dаta.svc')) }),
    'constraints',
    'common name',
  ],
  [
    'a full-width dot in the CN',
    (handMade) => handMade({ subject: commonName(utf8String('evil．example')) }),
    'constraints',
    'common name',
  ],
]
