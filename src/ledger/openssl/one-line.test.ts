import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bmpString, children, oid, readOnly, sequence, setOf, utf8String } from '../../pki/encoding/der.ts'
import { makeRoot } from '../../pki/testing.ts'
import { oneLine, shortNames } from './one-line.ts'

const attribute = (type: string, value: Uint8Array): Uint8Array => sequence(oid(type), value)
const named = (value: Uint8Array): Uint8Array => sequence(setOf(attribute('2.5.4.3', value)))

describe('a subject on one line', () => {
  it.each([
    { name: 'non-ASCII as its bytes', value: 'Zürich', line: '/CN=Z\\xC3\\xBCrich' },
    { name: 'control characters', value: 'tab\tx', line: '/CN=tab\\x09x' },
    { name: 'what separates', value: 'a/b+c', line: '/CN=a\\/b\\+c' },
    { name: 'everything else as it stands', value: 'a,"b"\\=c', line: '/CN=a,"b"\\=c' },
  ])('$name', ({ value, line }) => {
    expect(oneLine(named(utf8String(value)))).toBe(line)
  })

  it('is ASCII without control characters, whatever the name holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (value) => {
        expect(oneLine(named(utf8String(value)))).toMatch(/^\/CN=[\x20-\x7e]*$/)
      }),
    )
  })
})

describe('as openssl writes it', () => {
  /** The certificate under another subject; its signature no longer holds, which nobody looks at here. */
  const renamed = (certificate: Uint8Array, subject: Uint8Array): Uint8Array => {
    const [tbs, ...signature] = children(readOnly(certificate)).map(({ encoded }) => encoded)
    const fields = children(readOnly(tbs ?? certificate)).map(({ encoded }) => encoded)
    return sequence(sequence(...fields.with(5, subject)), ...signature)
  }

  /** X509_NAME_oneline is what `-nameopt compat` prints. */
  const byOpenssl = (der: Uint8Array): string =>
    execFileSync('openssl', ['x509', '-inform', 'DER', '-noout', '-subject', '-nameopt', 'compat'], {
      input: der,
      encoding: 'latin1',
    })
      .replace(/^subject=/, '')
      .trimEnd()

  const all = [...shortNames.keys(), '2.5.4.200', '1.3.6.1.4.1.99999.1']
  const names: readonly (readonly [string, Uint8Array])[] = [
    [
      'every attribute that has a short name, and two that have none',
      sequence(...all.map((type) => setOf(attribute(type, utf8String('x'))))),
    ],
    [
      'strings of all kinds',
      sequence(
        setOf(attribute('2.5.4.10', bmpString('Zürich/+\\'))),
        setOf(attribute('2.5.4.3', utf8String('tab\tx\\y/z+w,"q";<😀\u007f'))),
      ),
    ],
    [
      'several attributes in one RDN',
      sequence(
        setOf(attribute('2.5.4.3', utf8String('n')), attribute('2.5.4.11', utf8String('z'))),
        setOf(attribute('2.5.4.3', utf8String('m'))),
      ),
    ],
  ]
  it.each(names)('%s', async (_, subject) => {
    const { certificate } = await makeRoot()
    expect(oneLine(subject)).toBe(byOpenssl(renamed(certificate, subject)))
  })
})
