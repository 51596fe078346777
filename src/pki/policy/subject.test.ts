import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { oid, printableString, sequence, setOf, utf8String } from '../encoding/der.ts'
import { distinguishedName, formatDistinguishedName, parseDistinguishedName } from '../names/names.ts'
import { encodePem } from '../encoding/pem.ts'
import { makeRequest } from '../requests/request.fixture.ts'
import { type AttributeRule, subjectInPolicyOrder, type SubjectPolicy, subjectViolations } from './subject.ts'
import { generate, makeRoot, openssl, opensslVersion } from '../testing.ts'

const caSubject = distinguishedName({ commonName: 'CA', organizations: ['Acme', 'Acme GmbH'], countries: ['DE'] })

describe('the subject', () => {
  test.each<[string, SubjectPolicy, string, readonly string[]]>([
    ['Optional is there or not', { commonName: 'Optional' }, 'CN=a', []],
    ['Optional is there or not', { commonName: 'Optional' }, '', []],
    ['Supplied is there', { commonName: 'Supplied' }, 'CN=a', []],
    ['Supplied is missing', { commonName: 'Supplied' }, '', ['commonName is Supplied']],
    ['Match is the same', { organizations: 'Match' }, 'O=Acme', []],
    ['Match is one of several', { organizations: 'Match' }, 'O=Acme GmbH', []],
    ['Match is missing', { organizations: 'Match' }, '', ['organizations is Match, and the subject has no O']],
    ['Match differs', { organizations: 'Match' }, 'O=Evil', ['O is "Evil", not "Acme" or "Acme GmbH"']],
    ['Match differs in case', { organizations: 'Match' }, 'O=ACME', ['O is "ACME"']],
    ['Match differs in the second', { organizations: 'Match' }, 'O=Acme,O=Evil', ['O is "Evil"']],
    ['Match of what the CA has not', { localities: 'Match' }, 'L=Berlin', ['the CA itself has no L']],
    ['not listed', { commonName: 'Optional' }, 'CN=a,L=Berlin', ['does not list the attribute L ("Berlin")']],
    ['not listed and unknown', {}, '1.2.3.4=x', ['does not list the attribute 1.2.3.4']],
    ['joined by +', { commonName: 'Supplied' }, 'CN=a+OU=x', ['does not list the attribute OU']],
    [
      'all at once',
      { countries: 'Match', commonName: 'Supplied' },
      'C=US,L=x',
      ['C is "US"', 'the attribute L', 'has no CN'],
    ],
  ])('%s: %j, %s', (_, subject, text, expected) => {
    const found = subjectViolations(subject, caSubject, parseDistinguishedName(text))
    expect(found).toHaveLength(expected.length)
    for (const part of expected) expect(found.join('\n')).toContain(part)
  })

  test('matches whatever its string type is', () => {
    const subject = sequence(setOf(sequence(oid('2.5.4.10'), utf8String('Acme'))))
    const printable = sequence(setOf(sequence(oid('2.5.4.10'), printableString('Acme'))))
    expect(subjectViolations({ organizations: 'Match' }, printable, subject)).toEqual([])
  })

  test.each([
    ['CN=a,O=b,C=DE', 'CN=a,O=b,C=DE'],
    ['C=DE,O=b,CN=a', 'CN=a,O=b,C=DE'],
    ['CN=a+OU=x,O=b', 'CN=a,OU=x,O=b'],
    ['EMAILADDRESS=a@b,UID=x,CN=a', 'UID=x,EMAILADDRESS=a@b,CN=a'],
    ['OU=2,OU=1', 'OU=2,OU=1'],
    ['', ''],
  ])('%s stands in the order of the policy as %s', (text, expected) =>
    expect(formatDistinguishedName(subjectInPolicyOrder(parseDistinguishedName(text)))).toBe(expected),
  )

  test('in the order of the policy has the same attributes, and stays so', () => {
    const type = fc.constantFrom('CN', 'O', 'OU', 'L', 'UID', '1.2.3')
    const part = fc.tuple(type, fc.stringMatching(/^[a-z]{1,5}$/)).map((pair) => pair.join('='))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const ordered = subjectInPolicyOrder(parseDistinguishedName(parts.join(',')))
        const texts = (name: Uint8Array): string[] => formatDistinguishedName(name).split(',').toSorted()
        expect(texts(ordered)).toEqual(texts(parseDistinguishedName(parts.join(','))))
        expect(subjectInPolicyOrder(ordered)).toEqual(ordered)
      }),
    )
  })
})

describe.skipIf(opensslVersion === undefined)('openssl ca', () => {
  /** Our words → those of the policy section. */
  const sections: readonly (readonly [keyof SubjectPolicy, string])[] = [
    ['countries', 'countryName'],
    ['organizations', 'organizationName'],
    ['organizationalUnits', 'organizationalUnitName'],
    ['commonName', 'commonName'],
  ]
  const everything: SubjectPolicy = {
    countries: 'Optional',
    organizations: 'Optional',
    organizationalUnits: 'Optional',
    commonName: 'Optional',
  }

  const cases: readonly (readonly [SubjectPolicy, string, string])[] = [
    [{ organizations: 'Match' }, 'CN=a,O=Acme', 'CN=a,O=Acme'],
    [{ organizations: 'Match' }, 'CN=a,O=ACME', ''],
    [{ organizations: 'Match' }, 'CN=a', ''],
    [{ organizations: 'Match' }, 'CN=a,O=Acme,O=Evil', ''],
    [{ organizations: 'Match', countries: 'Match' }, 'CN=a,O=Acme', ''],
    [{ countries: 'Match' }, 'CN=a,C=DE', ''],
    [{ commonName: 'Supplied' }, 'O=x', ''],
    [{ commonName: 'Supplied' }, 'CN=a', 'CN=a'],
    [{ organizationalUnits: 'Supplied' }, 'CN=a', ''],
    [{}, 'C=DE,CN=a,OU=x', 'CN=a,OU=x,C=DE'],
    [{}, 'CN=a+OU=x,O=y', 'CN=a,OU=x,O=y'],
  ]

  test('gives the same verdicts, and the same order of the subject', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dbtls-policy-'))
    try {
      const root = await makeRoot()
      const key = await generate()
      const file = (name: string, text: string): string => {
        writeFileSync(join(folder, name), text)
        return join(folder, name)
      }
      file('ca.pem', encodePem('CERTIFICATE', root.certificate))
      file('ca.key', encodePem('PRIVATE KEY', root.key.pkcs8))
      const theirs: string[] = []
      const ours: string[] = []
      for (const [index, [rules, text]] of cases.entries()) {
        const policy = { ...everything, ...rules }
        file('index.txt', '')
        const config = [
          '[ca]\ndefault_ca=d\n[d]',
          `database=${folder}/index.txt\nnew_certs_dir=${folder}\ncertificate=${folder}/ca.pem\nprivate_key=${folder}/ca.key`,
          'default_md=sha256\ndefault_days=1\nrand_serial=yes\npolicy=p\n[p]',
          ...sections.map(([field, name]) => `${name}=${(policy[field] as AttributeRule).toLowerCase()}`),
        ]
        const subject = parseDistinguishedName(text)
        const request = file('request.pem', encodePem('CERTIFICATE REQUEST', makeRequest(key, { subject })))
        const out = join(folder, `${index}.pem`)
        const args = [
          'ca',
          '-batch',
          '-notext',
          '-config',
          file('ca.cnf', config.join('\n')),
          '-in',
          request,
          '-out',
          out,
        ]
        const { status } = spawnSync('openssl', args)
        theirs.push(
          status === 0 ? openssl(['x509', '-in', out, '-noout', '-subject', '-nameopt', 'RFC2253']).trim() : 'refused',
        )
        const refused = subjectViolations(policy, root.signer.subject, subject).length > 0
        ours.push(refused ? 'refused' : `subject=${formatDistinguishedName(subjectInPolicyOrder(subject))}`)
      }
      expect(ours).toEqual(theirs)
      expect(ours).toEqual(cases.map(([, , expected]) => (expected === '' ? 'refused' : `subject=${expected}`)))
    } finally {
      rmSync(folder, { recursive: true })
    }
  }, 60_000)
})
