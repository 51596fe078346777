import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { issueCertificate } from '../certificates/certificate.ts'
import { integer, oid, sequence, setOf } from '../encoding/der.ts'
import { normaliseDnsName } from '../names/general-names.ts'
import type { KeyPair } from '../keys/keys.ts'
import { distinguishedName, emptyName, parseDistinguishedName } from '../names/names.ts'
import type { GeneralName, KeyAlgorithm } from '../plan.ts'
import { type Judged, intentViolations, policyProblems, policyViolations, type SigningPolicy } from './policy.ts'
import { day, generate, makeRoot, now, planLeaf } from '../testing.ts'

let key: KeyPair
beforeAll(async () => {
  key = await generate()
})

const caSubject = distinguishedName({ commonName: 'CA', organizations: ['Acme', 'Acme GmbH'], countries: ['DE'] })

const finished = (changes: Partial<Judged> = {}): Judged => ({
  subject: emptyName,
  subjectAlternativeNames: [],
  otherAlternativeNames: 0,
  notBefore: now,
  notAfter: now + 90 * day,
  spki: key.spki,
  ...changes,
})

const named = (text: string): GeneralName => {
  const [, type = '', value = ''] = /^([A-Za-z]+):(.*)$/.exec(text) ?? []
  return { type: type as GeneralName['type'], value }
}

const violations = (policy: SigningPolicy, changes: Partial<Judged> = {}): string[] =>
  policyViolations(policy, caSubject, finished(changes))

const encodedOften = (text: string, times: number): string =>
  times === 0
    ? text
    : encodedOften(
        text.replace(/./g, (character) => `%${character.charCodeAt(0).toString(16)}`),
        times - 1,
      )

describe('a name', () => {
  test.each<[SigningPolicy, string, boolean]>([
    [{}, 'DNS:anything.example', true],
    [{ allowedDNSNames: [] }, 'DNS:anything.example', false],
    [{ allowedDNSNames: [] }, 'IP:192.0.2.1', true],
    [{ allowedDNSNames: ['db.example'] }, 'DNS:db.example', true],
    [{ allowedDNSNames: ['DB.example'] }, 'DNS:db.EXAMPLE', true],
    [{ allowedDNSNames: ['db.example'] }, 'DNS:db.example.evil', false],
    [{ allowedDNSNames: ['db.example'] }, 'DNS:xdb.example', false],
    [{ allowedDNSNames: ['db.example'] }, 'DNS:a.db.example', false],
    [{ allowedDNSNames: ['db.example'] }, 'DNS:*.example', false],
    [{ allowedDNSNames: ['*.data.svc'] }, 'DNS:a.data.svc', true],
    [{ allowedDNSNames: ['*.data.svc'] }, 'DNS:A.Data.SVC.', true],
    [{ allowedDNSNames: ['*.data.svc'] }, 'DNS:data.svc', false],
    [{ allowedDNSNames: ['*.data.svc'] }, 'DNS:a.b.data.svc', false],
    [{ allowedDNSNames: ['*.data.svc'] }, 'DNS:*.data.svc', true],
    [{ allowedDNSNames: ['*.data.svc'] }, 'DNS:*.a.data.svc', false],
    [{ allowedDNSNames: ['*.data.svc'] }, 'DNS:a.xdata.svc', false],
    [{ allowedDNSNames: ['*.data.svc'], allowWildcards: false }, 'DNS:*.data.svc', false],
    [{ allowedDNSNames: ['*.data.svc'], allowWildcards: false }, 'DNS:a.data.svc', true],
    [{ allowWildcards: false }, 'DNS:*.data.svc', false],
    [{ allowedDNSNames: ['*'] }, 'DNS:localhost', true],
    [{ allowedDNSNames: ['*'] }, 'DNS:a.b', false],
    [{ allowedDNSNames: ['a.*.svc', '*a.svc', '**'] }, 'DNS:a.b.svc', false],
    [{ allowedDNSNames: ['bücher.example'] }, 'DNS:xn--bcher-kva.example', true],
    [{ allowedIPRanges: ['10.0.0.0/8'] }, 'IP:10.255.0.1', true],
    [{ allowedIPRanges: ['10.0.0.0/8'] }, 'IP:11.0.0.1', false],
    [{ allowedIPRanges: ['10.0.0.0/8'] }, 'IP:::ffff:10.0.0.1', false],
    [{ allowedIPRanges: ['2001:db8::/32'] }, 'IP:2001:db8:1::1', true],
    [{ allowedIPRanges: ['0.0.0.0/0'] }, 'IP:2001:db8:1::1', false],
    [{ allowedIPRanges: ['nonsense'] }, 'IP:10.0.0.1', false],
    [{ allowedURIs: ['spiffe://cluster.local/ns/data/*'] }, 'URI:spiffe://cluster.local/ns/data/sa/x', true],
    [{ allowedURIs: ['SPIFFE://Cluster.Local/ns/data/*'] }, 'URI:spiffe://CLUSTER.local/ns/data/sa/x', true],
    [{ allowedURIs: ['spiffe://cluster.local/ns/data/*'] }, 'URI:spiffe://cluster.local/ns/DATA/sa/x', false],
    [{ allowedURIs: ['spiffe://cluster.local/ns/data/*'] }, 'URI:spiffe://cluster.local/ns/database', false],
    [{ allowedURIs: ['spiffe://cluster.local/ns/data/*'] }, 'URI:spiffe://cluster.local/ns/data/../x', false],
    [{ allowedURIs: ['spiffe://cluster.local/ns/data/*'] }, 'URI:spiffe://cluster.local/ns/data/%2E%2e/x', false],
    [{ allowedURIs: ['spiffe://cluster.local/ns/data/*'] }, 'URI:spiffe://cluster.local/ns/data/.', false],
    [{ allowedURIs: ['https://x.y/p/*'] }, 'URI:https://x.y/p/a%2fb', true],
    [{ allowedURIs: ['https://x.y/p/*'] }, 'URI:https://x.y/p/a..b/...', true],
    [{ allowedURIs: ['https://x.y/p/*'] }, 'URI:https://x.y/p/100%25', true],
    [{ allowedURIs: ['https://x.y/p/*'] }, 'URI:https://x.y/p/..%2f..%2fadmin', false],
    [{ allowedURIs: ['https://x.y/p/*'] }, 'URI:https://x.y/p/%2e%2e%2Fadmin', false],
    [{ allowedURIs: ['https://x.y/p/*'] }, 'URI:https://x.y/p/a%2f..', false],
    [{ allowedURIs: ['https://x.y/p/*'] }, 'URI:https://x.y/p/a%5C..%5cadmin', false],
    [{ allowedURIs: ['https://x.y/p/*'] }, 'URI:https://x.y/p/..%252fadmin', false],
    [{ allowedURIs: ['https://x.y/p/*'] }, 'URI:https://x.y/p/%25252e%25252e/admin', false],
    [{ allowedURIs: ['https://x.y/p/*'] }, 'URI:https://x.y/p/%25%32%65%25%32%65/admin', false],
    [{ allowedURIs: ['https://x.y/p/*'] }, 'URI:https://x.y/p/..;a=b/admin', false],
    [{ allowedURIs: ['https://x.y/p/*'] }, `URI:https://x.y/p/${encodedOften('../', 5)}admin`, false],
    [{ allowedURIs: ['https://x.y/p/..%2fadmin'] }, 'URI:https://x.y/p/..%2fadmin', true],
    [{ allowedURIs: ['https://good.example*'] }, 'URI:https://good.example%40evil.example/', false],
    [{ allowedURIs: ['https://good.example*'] }, 'URI:https://good.example@evil.example/', false],
    [{ allowedURIs: ['https://good.example*'] }, 'URI:https://good.example:8443/x', true],
    [{ allowedURIs: ['*'] }, 'URI:urn:uuid:1', true],
    [{ allowedURIs: ['urn:uuid:1'] }, 'URI:urn:uuid:1', true],
    [{ allowedURIs: ['urn:uuid:1'] }, 'URI:urn:uuid:12', false],
    [{ allowedEmailAddresses: ['dba@example.com'] }, 'Email:dba@EXAMPLE.com', true],
    [{ allowedEmailAddresses: ['dba@example.com'] }, 'Email:DBA@example.com', false],
    [{ allowedEmailAddresses: [] }, 'Email:dba@example.com', false],
  ])('%j: %s is allowed: %s', (policy, text, allowed) => {
    const found = violations(policy, { subjectAlternativeNames: [named(text)] })
    expect(found).toHaveLength(allowed ? 0 : 1)
    if (!allowed) {
      expect(found[0]).toContain(JSON.stringify(named(text).value))
      expect(found[0]).toMatch(/policy\.allow/)
    }
  })

  test.each<[SigningPolicy, string, boolean]>([
    [{ allowedDNSNames: ['*.data.svc'] }, 'CN=app', true],
    [{ allowedDNSNames: ['*.data.svc'] }, 'CN=Dr. Meier', true],
    [{ allowedDNSNames: ['*.data.svc'] }, 'CN=a.data.svc', true],
    [{ allowedDNSNames: ['*.data.svc'] }, 'CN=evil.example', false],
    [{ allowedDNSNames: ['*.data.svc'] }, 'CN=evil.example.', false],
    [{ allowedDNSNames: ['*.data.svc'] }, 'CN=evil..example', false],
    [{ allowedDNSNames: ['*.data.svc'] }, 'CN=app,CN=evil.example', false],
    [{ allowedDNSNames: ['*.data.svc'] }, 'CN=app+OU=x,CN=evil.example', false],
    [{ allowWildcards: false }, 'CN=*.data.svc', false],
    [{ allowedIPRanges: ['10.0.0.0/8'] }, 'CN=192.0.2.1', false],
    [{ allowedIPRanges: ['10.0.0.0/8'] }, 'CN=10.0.0.1', true],
    [{ allowedEmailAddresses: ['dba@example.com'] }, 'EMAILADDRESS=root@example.com', false],
    [{ allowedEmailAddresses: ['dba@example.com'] }, 'EMAILADDRESS=dba@example.com', true],
  ])('in the subject is judged too: %j, %s: %s', (policy, subject, allowed) =>
    expect(violations(policy, { subject: parseDistinguishedName(subject) })).toHaveLength(allowed ? 0 : 1),
  )

  test.each([
    ['CN=app', []],
    ['O=Acme', []],
    ['CN=mine,CN=victim', [expect.stringContaining('the subject has 2 of them')]],
    ['CN=victim+O=x,OU=y,CN=mine', [expect.stringContaining('the subject has 2 of them')]],
    ['CN=same,CN=same', [expect.stringContaining('the subject has 2 of them')]],
  ])('that is to belong to one certificate is one, and can be read: %s', (subject, expected) => {
    const bearing = { subject: parseDistinguishedName(subject) }
    expect(violations({ uniqueCommonName: true }, bearing)).toEqual(expected)
    expect(violations({ uniqueCommonName: false }, bearing)).toEqual([])
    expect(violations({}, bearing)).toEqual([])
  })

  test('that is to belong to one certificate is refused where it is of a type that is not read', () => {
    const subject = sequence(setOf(sequence(oid('2.5.4.3'), integer(1))))
    expect(violations({ uniqueCommonName: true }, { subject })).toEqual([expect.stringContaining('cannot be read')])
  })

  test('that is a URI climbs out of what it begins with by no encoding of dots and separators', () => {
    const encoding = (character: string): fc.Arbitrary<string> => {
      const hex = character.charCodeAt(0).toString(16)
      return fc
        .tuple(fc.nat(3), fc.boolean())
        .map(([times, upper]) => `%${'25'.repeat(times)}${upper ? hex.toUpperCase() : hex}`)
    }
    const dot = fc.oneof(fc.constant('.'), encoding('.'))
    const separator = fc.oneof(fc.constant('/'), encoding('/'), encoding('\\'))
    const policy: SigningPolicy = { allowedURIs: ['https://x.y/p/*'] }
    const word = fc.stringMatching(/^[a-z]{0,3}$/)
    fc.assert(
      fc.property(word, separator, dot, dot, fc.oneof(separator, fc.constant('')), word, (a, cut, b, c, end, d) => {
        const judge = (path: string): string[] =>
          violations(policy, { subjectAlternativeNames: [named(`URI:https://x.y/p/${path}`)] })
        expect(judge(`${a}${cut}${b}${c}${end}${end === '' ? '' : d}`)).toHaveLength(1)
        expect(judge(`${a}${cut}z${b}${c}${end}`)).toHaveLength(0)
      }),
    )
  })

  test('of a type without words is refused as soon as names are limited', () => {
    expect(violations({ allowedURIs: ['*'] }, { otherAlternativeNames: 1 })).toHaveLength(1)
    expect(violations({}, { otherAlternativeNames: 1 })).toHaveLength(0)
  })

  test('in a common name that is no string cannot be checked', () =>
    expect(
      violations({ allowedDNSNames: ['*.a'] }, { subject: sequence(setOf(sequence(oid('2.5.4.3'), integer(1)))) }),
    ).toEqual(['The common name "" cannot be checked against policy.allowedDNSNames.']))

  test('is told with the patterns, but not with all of a long list', () => {
    const allowedDNSNames = Array.from({ length: 100 }, (_, index) => `n${index}.example`)
    const [sentence = ''] = violations({ allowedDNSNames }, { subjectAlternativeNames: [named('DNS:x.example')] })
    expect(sentence).toContain('n7.example and 92 more')
  })

  const label = fc.stringMatching(/^[a-z0-9]{1,5}$/)
  test('with a star matches exactly the names of one label more', () =>
    fc.assert(
      fc.property(
        fc.array(label, { minLength: 1, maxLength: 4 }),
        fc.array(label, { minLength: 1, maxLength: 3 }),
        (host, domain) => {
          const expected = host.length === domain.length + 1 && host.slice(1).join() === domain.join()
          const text = host.join('.')
          fc.pre(isName(text) && isName(domain.join('.')))
          const found = violations(
            { allowedDNSNames: [`*.${domain.join('.')}`] },
            { subjectAlternativeNames: [named(`DNS:${text}`)] },
          )
          expect(found.length === 0).toBe(expected)
          const below = named(`DNS:${['x', ...domain].join('.').toUpperCase()}`)
          expect(
            violations({ allowedDNSNames: [`*.${domain.join('.')}`] }, { subjectAlternativeNames: [below] }),
          ).toEqual([])
        },
      ),
    ))
})

const isName = (text: string): boolean => {
  try {
    return normaliseDnsName(text) === text
  } catch {
    return false
  }
}

describe('the lifetime', () => {
  test.each([
    [90, 0],
    [89, 1],
  ])('against %i days breaks %i rules', (days, count) =>
    expect(violations({ maxDuration: days * day })).toHaveLength(count),
  )

  test('is told in days', () =>
    expect(violations({ maxDuration: 3_600_000 })).toEqual([
      'The lifetime of 90 days is longer than policy.maxDuration, 3600 seconds.',
    ]))
})

describe('the key', () => {
  const rsa: KeyAlgorithm = { algorithm: 'RSA', size: 2048 }
  test.each<[SigningPolicy['privateKey'], KeyAlgorithm, number]>([
    [{ algorithms: ['RSA'] }, rsa, 0],
    [{ algorithms: ['RSA'], minRSASize: 3072 }, rsa, 1],
    [{ minRSASize: 2048 }, rsa, 0],
    [{ algorithms: ['ECDSA', 'Ed25519'], minRSASize: 4096 }, rsa, 2],
    [{ algorithms: [] }, { algorithm: 'Ed25519' }, 1],
    [{ minRSASize: 4096 }, { algorithm: 'Ed25519' }, 0],
    [{}, rsa, 0],
  ])('under %j, %j breaks %i rules', async (privateKey, algorithm, count) =>
    expect(violations({ privateKey }, { spki: (await generate(algorithm)).spki })).toHaveLength(count),
  )

  test('of an unknown kind is refused', () => {
    expect(violations({ privateKey: { minRSASize: 2048 } }, { spki: sequence() })).toHaveLength(1)
    expect(
      violations(
        { privateKey: { minRSASize: 2048 } },
        { spki: sequence(sequence(oid('1.2.3')), Uint8Array.of(3, 1, 0)) },
      ),
    ).toHaveLength(1)
  })
})

describe('a policy', () => {
  test('says what of it matches nothing', () =>
    expect(
      policyProblems({
        allowedDNSNames: ['a.b', '*.b', '*', 'a.*.b', '.b'],
        allowedURIs: ['x', 'urn:a', 'x*'],
        allowedEmailAddresses: ['a@b', 'b'],
      }),
    ).toEqual([
      expect.stringContaining('"a.*.b" matches nothing'),
      expect.stringContaining('".b" matches nothing'),
      expect.stringContaining('"x" matches nothing'),
      expect.stringContaining('"b" matches nothing'),
    ]))

  test('says the same before there is a key as of the finished certificate', async () => {
    const { signer } = await makeRoot()
    const plan = planLeaf(signer, key)
    const policy: SigningPolicy = {
      allowedDNSNames: ['*.data.svc'],
      allowedIPRanges: [],
      subject: { commonName: 'Match' },
      maxDuration: day,
      privateKey: { algorithms: ['RSA'] },
    }
    const issued = await issueCertificate(plan, signer)
    const before = intentViolations(policy, signer.subject, {
      subject: plan.subject,
      names: plan.subjectAlternativeNames,
      duration: plan.notAfter - plan.notBefore,
      keyAlgorithm: key.algorithm,
    })
    expect(before).toHaveLength(6)
    expect(before).toEqual(policyViolations(policy, signer.subject, issued))
  })

  test('is judged on a certificate that was issued', async () => {
    const { signer } = await makeRoot()
    const certificate = await issueCertificate(planLeaf(signer, key), signer)
    expect(
      policyViolations(
        { allowedDNSNames: ['*.data.svc'], subject: { commonName: 'Supplied' } },
        signer.subject,
        certificate,
      ),
    ).toEqual(['The DNS name "*.orders.data.svc" is not in policy.allowedDNSNames (*.data.svc).'])
  })
})
