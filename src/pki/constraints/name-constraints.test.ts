import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { issueCertificate } from '../certificates/certificate.ts'
import { differencesFromPlan } from '../certificates/check.ts'
import { ascii, contextConstructed, contextPrimitive, integer, sequence } from '../encoding/der.ts'
import { distinguishedName, NameError } from '../names/names.ts'
import {
  closeOpenTypes,
  encodeNameConstraints,
  nameConstraints,
  type NameConstraintFields,
  normaliseIpRange,
  readNameConstraints,
} from './name-constraints.ts'
import { parseCertificate } from '../certificates/parse.ts'
import type { NameConstraints } from '../plan.ts'
import { authorityPlan } from '../certificates/plans.ts'
import { day, generate, makeRoot, now, openssl, opensslVersion, pemFolder, planLeaf, randomSerial } from '../testing.ts'

const constraintsOf = (fields: NameConstraintFields): NameConstraints => {
  const normal = nameConstraints(fields)
  if (normal === undefined) throw new Error('nothing is constrained')
  return normal
}

const everyType: NameConstraintFields = {
  permitted: {
    dnsDomains: ['Data.Example', 'data.example', 'bücher.example'],
    ipRanges: ['10.1.2.3/8', '2001:DB8::7/32', '192.0.2.7/32'],
    emailAddresses: ['dba@Example.com', 'example.org', '.example.net'],
    uriDomains: ['cluster.local', '.example.net'],
  },
  excluded: { dnsDomains: ['bad.data.example'], ipRanges: ['10.9.0.0/16'] },
}

describe('name constraints', () => {
  test('have one normal form', () =>
    expect(constraintsOf(everyType)).toEqual({
      permitted: {
        dnsDomains: ['data.example', 'xn--bcher-kva.example'],
        ipRanges: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7/32'],
        emailAddresses: ['dba@example.com', 'example.org', '.example.net'],
        uriDomains: ['cluster.local', '.example.net'],
        directoryNames: [],
      },
      excluded: {
        dnsDomains: ['bad.data.example'],
        ipRanges: ['10.9.0.0/16'],
        emailAddresses: [],
        uriDomains: [],
        directoryNames: [],
      },
    }))

  test.each<[string, NameConstraintFields]>([
    ['nothing', {}],
    ['empty lists', { permitted: { dnsDomains: [], ipRanges: [] }, excluded: {} }],
  ])('of %s are none', (_, fields) => expect(nameConstraints(fields)).toBeUndefined())

  test.each<[string, NameConstraintFields, string]>([
    ['a DNS domain with a leading dot', { permitted: { dnsDomains: ['.example'] } }, 'write "example"'],
    ['a wildcard', { permitted: { dnsDomains: ['*.example'] } }, 'wildcard'],
    ['two leading dots', { permitted: { uriDomains: ['..example'] } }, 'begins with a dot'],
    ['an address among domains', { permitted: { dnsDomains: ['10.0.0.1'] } }, 'IP address'],
    ['an address without a prefix', { permitted: { ipRanges: ['10.0.0.1'] } }, 'address range'],
    ['a prefix too long', { permitted: { ipRanges: ['10.0.0.0/33'] } }, 'address range'],
    ['a prefix too long for IPv6', { excluded: { ipRanges: ['::/129'] } }, 'address range'],
    ['a prefix with a leading zero', { permitted: { ipRanges: ['10.0.0.0/08'] } }, 'address range'],
    ['nothing as permitted domain', { permitted: { dnsDomains: [''] } }, 'empty'],
    ['a line break', { permitted: { emailAddresses: ['a\nb'] } }, 'control character'],
  ])('are refused with %s', (_, fields, message) => {
    expect(() => nameConstraints(fields)).toThrow(NameError)
    expect(() => nameConstraints(fields)).toThrow(message)
  })

  test('encode as RFC 5280 has them', () => {
    const encoded = encodeNameConstraints(
      constraintsOf({ permitted: { dnsDomains: ['a.b'], ipRanges: ['10.0.0.0/8'] }, excluded: { uriDomains: ['.c'] } }),
    )
    expect(Buffer.from(encoded).toString('hex')).toBe('301da01330058203612e62300a87080a000000ff000000a106300486022e63')
  })

  const octet = fc.integer({ min: 0, max: 255 })
  const domain = fc
    .array(fc.stringMatching(/^[a-z0-9]{1,8}$/), { minLength: 2, maxLength: 4 })
    .map((labels) => `${labels.join('.')}.x`)
  const hostForm = fc.tuple(fc.constantFrom('', '.'), domain).map((parts) => parts.join(''))
  const subtrees = fc.record({
    dnsDomains: fc.array(domain, { maxLength: 4 }),
    ipRanges: fc.array(
      fc.oneof(
        fc
          .tuple(octet, octet, octet, octet, fc.integer({ min: 0, max: 32 }))
          .map(([a, b, c, d, p]) => `${a}.${b}.${c}.${d}/${p}`),
        fc
          .tuple(octet, octet, fc.integer({ min: 0, max: 128 }))
          .map(([a, b, p]) => `20${a.toString(16)}::${b.toString(16)}/${p}`),
      ),
      { maxLength: 4 },
    ),
    emailAddresses: fc.array(
      fc.oneof(
        hostForm,
        domain.map((host) => `Dba@${host}`),
      ),
      { maxLength: 4 },
    ),
    uriDomains: fc.array(hostForm, { maxLength: 4 }),
  })

  test('read back as they were written', () =>
    fc.assert(
      fc.property(subtrees, subtrees, (permitted, excluded) => {
        const normal = nameConstraints({ permitted, excluded })
        if (normal !== undefined) expect(readNameConstraints(encodeNameConstraints(normal))).toEqual(normal)
      }),
    ))

  test('of a range keep exactly the bits of its prefix', () =>
    fc.assert(
      fc.property(octet, octet, octet, octet, fc.integer({ min: 0, max: 32 }), (a, b, c, d, prefix) => {
        const value = ((a * 256 + b) * 256 + c) * 256 + d
        const kept = Math.floor(value / 2 ** (32 - prefix)) * 2 ** (32 - prefix)
        const text = [24, 16, 8, 0].map((shift) => Math.floor(kept / 2 ** shift) % 256).join('.')
        expect(normaliseIpRange(`${a}.${b}.${c}.${d}/${prefix}`)).toBe(`${text}/${prefix}`)
      }),
    ))

  const base = (tag: number, text: string): Uint8Array => sequence(contextPrimitive(tag, ascii(text)))
  test.each<[string, Uint8Array]>([
    ['nothing in them', sequence()],
    ['an empty list', sequence(contextConstructed(0))],
    [
      'the lists the other way round',
      sequence(contextConstructed(1, base(2, 'a')), contextConstructed(0, base(2, 'a'))),
    ],
    ['a list twice', sequence(contextConstructed(0, base(2, 'a')), contextConstructed(0, base(2, 'b')))],
    [
      'a minimum',
      sequence(contextConstructed(0, sequence(contextPrimitive(2, ascii('a')), contextPrimitive(0, Uint8Array.of(1))))),
    ],
    [
      'a mask with holes',
      sequence(contextConstructed(0, sequence(contextPrimitive(7, Uint8Array.of(10, 0, 0, 0, 255, 0, 255, 0))))),
    ],
    [
      'an address without a mask',
      sequence(contextConstructed(0, sequence(contextPrimitive(7, Uint8Array.of(10, 0, 0, 0))))),
    ],
    ['a NUL', sequence(contextConstructed(0, base(2, 'a\0b')))],
    ['a directory name that is none', sequence(contextConstructed(0, sequence(contextConstructed(4, integer(1)))))],
    ['something else', integer(1)],
  ])('are unreadable with %s', (_, der) => expect(() => readNameConstraints(der)).toThrow(Error))

  test('pass over the forms that no certificate here carries', () => {
    const registered = sequence(contextPrimitive(8, Uint8Array.of(0x2a, 3)))
    expect(
      readNameConstraints(sequence(contextConstructed(0, registered, base(2, 'A.b')))).permitted.dnsDomains,
    ).toEqual(['a.b'])
  })
})

describe('closing', () => {
  test('excludes the types that are not permitted, and leaves the permitted ones', () => {
    const closed = closeOpenTypes(
      constraintsOf({ permitted: { dnsDomains: ['a.b'] }, excluded: { dnsDomains: ['c.a.b'] } }),
    )
    expect(closed).toMatchObject({
      permitted: { dnsDomains: ['a.b'], ipRanges: [], emailAddresses: ['invalid'], uriDomains: ['invalid'] },
      excluded: { dnsDomains: ['c.a.b'], ipRanges: ['0.0.0.0/0', '::/0'] },
    })
    expect(closeOpenTypes(closed)).toEqual(closed)
  })

  test('excludes every DNS name where only addresses are permitted', () =>
    expect(closeOpenTypes(constraintsOf({ permitted: { ipRanges: ['10.0.0.0/8'] } })).excluded).toMatchObject({
      dnsDomains: [''],
      ipRanges: [],
    }))

  test('leaves constraints alone that permit nothing', () => {
    const excluding = constraintsOf({ excluded: { dnsDomains: ['a.b'] } })
    expect(closeOpenTypes(excluding)).toBe(excluding)
  })
})

describe('a CA certificate', () => {
  test('carries its constraints as critical, and openssl prints them', async () => {
    const constraints = constraintsOf(everyType)
    const { certificate } = await makeRoot({ nameConstraints: constraints })
    const parsed = parseCertificate(certificate)
    expect(parsed.nameConstraints).toEqual(constraints)
    expect(parsed.extensions.find(({ oid }) => oid === '2.5.29.30')?.critical).toBe(true)
    if (opensslVersion === undefined) return
    using folder = pemFolder()
    const text = openssl([
      'x509',
      '-in',
      folder.write('ca.pem', 'CERTIFICATE', certificate),
      '-noout',
      '-ext',
      'nameConstraints',
    ])
    expect(text.split('\n').map((line) => line.trim())).toEqual(
      expect.arrayContaining([
        'X509v3 Name Constraints: critical',
        'Permitted:',
        'email:dba@example.com',
        'DNS:xn--bcher-kva.example',
        'URI:.example.net',
        'IP:10.0.0.0/255.0.0.0',
        'Excluded:',
        'IP:10.9.0.0/255.255.0.0',
      ]),
    )
  })

  test.each<[string, (constraints: NameConstraints) => NameConstraints | undefined, string]>([
    ['nothing constrained', ({ excluded }) => ({ permitted: excluded, excluded }), 'empty'],
    ['capitals', ({ excluded }) => ({ permitted: { ...excluded, dnsDomains: ['A.b'] }, excluded }), 'normal form'],
    ['a name of no host', ({ excluded }) => ({ permitted: { ...excluded, uriDomains: ['a b'] }, excluded }), 'space'],
    [
      'a broken range',
      ({ excluded }) => ({ permitted: { ...excluded, ipRanges: ['10/8'] }, excluded }),
      'address range',
    ],
  ])('is not issued with %s', async (_, change, problem) => {
    const none = { ...constraintsOf({ excluded: { dnsDomains: ['a'] } }).permitted }
    const constraints = change({ permitted: none, excluded: none })
    await expect(makeRoot({ nameConstraints: constraints })).rejects.toThrow(problem)
  })

  test('with other constraints than were planned is found out', async () => {
    const { signer } = await makeRoot()
    const { spki } = await generate()
    const subject = distinguishedName({ commonName: 'Below' })
    const request = { signer, selfSigned: false, subject, spki, duration: day, now, serialNumber: randomSerial() }
    const planned = constraintsOf(everyType)
    const issued = await issueCertificate(authorityPlan({ ...request, nameConstraints: planned }), signer)
    const found = (changed: NameConstraints | undefined): string =>
      differencesFromPlan(issued, authorityPlan({ ...request, nameConstraints: changed }), signer.publicKey).join(' ')
    expect(found(planned)).toBe('')
    expect(found(undefined)).toContain('set of extensions')
    expect(found({ permitted: planned.excluded, excluded: planned.permitted })).toContain('set of name constraints')
    const { ipRanges } = planned.excluded
    const fewer = { permitted: { ...planned.permitted, ipRanges }, excluded: planned.excluded }
    expect(found(fewer)).toContain('set of name constraints')
  })

  test('alone may carry constraints', async () => {
    const { signer } = await makeRoot()
    const plan = planLeaf(signer, await generate(), { nameConstraints: constraintsOf(everyType) })
    await expect(issueCertificate(plan, signer)).rejects.toThrow('for CAs only')
  })

  test('signs neither a leaf nor a CA that its constraints do not allow', async () => {
    const root = await makeRoot({ nameConstraints: constraintsOf({ permitted: { dnsDomains: ['other.example'] } }) })
    await expect(issueCertificate(planLeaf(root.signer, await generate()), root.signer)).rejects.toThrow('outside what')
    const request = { signer: root.signer, selfSigned: false, duration: day, now, serialNumber: randomSerial() }
    const plan = authorityPlan({
      ...request,
      subject: distinguishedName({ commonName: 'ca.example' }),
      spki: root.key.spki,
    })
    const { spki } = await generate()
    await expect(issueCertificate({ ...plan, subjectPublicKeyInfo: spki }, root.signer)).rejects.toThrow('"ca.example"')
  })
})
