import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeTbs } from '../certificates/certificate.ts'
import { chainProblems } from '../certificates/chain.ts'
import { bitString, sequence } from '../encoding/der.ts'
import type { KeyPair } from '../keys/keys.ts'
import { constraintViolations, rangeHolds } from './check.ts'
import { nameConstraints, closeOpenTypes, type NameConstraintFields } from './name-constraints.ts'
import { distinguishedName, emptyName, parseDistinguishedName } from '../names/names.ts'
import { parseCertificate } from '../certificates/parse.ts'
import { encodePem } from '../encoding/pem.ts'
import type { GeneralName, NameConstraints } from '../plan.ts'
import { generate, makeIntermediate, makeRoot, now, opensslVersion, planLeaf } from '../testing.ts'

const constraintsOf = (fields: NameConstraintFields): NameConstraints => {
  const normal = nameConstraints(fields)
  if (normal === undefined) throw new Error('nothing is constrained')
  return normal
}

const permitted = (fields: NonNullable<NameConstraintFields['permitted']>) => constraintsOf({ permitted: fields })
const excluded = (fields: NonNullable<NameConstraintFields['excluded']>) => constraintsOf({ excluded: fields })
const dns = permitted({ dnsDomains: ['data.example'] })
const noDns = excluded({ dnsDomains: ['bad.data.example'] })
const ip = permitted({ ipRanges: ['10.0.0.0/8', '2001:db8::/32'] })
const noIp = excluded({ ipRanges: ['10.9.0.0/16', 'fd00::/8'] })
const email = permitted({ emailAddresses: ['dba@a.example', 'b.example', '.c.example'] })
const noEmail = excluded({ emailAddresses: ['root@a.example', 'b.example', '.c.example'] })
const uri = permitted({ uriDomains: ['a.example', '.b.example'] })
const noUri = excluded({ uriDomains: ['a.example', '.b.example'] })
const closed = closeOpenTypes(dns)
const closedIp = closeOpenTypes(permitted({ ipRanges: ['10.0.0.0/8'] }))

/** A foreign CA may write a leading dot, which nameConstraints() refuses. */
const dotted: NameConstraints = { ...dns, permitted: { ...dns.permitted, dnsDomains: ['.data.example'] } }
const noDotted: NameConstraints = { permitted: noDns.permitted, excluded: dotted.permitted }

type Verdict = 'allowed' | 'refused'
/** Constraints, name (`CN:` and `E:` stand in the subject), our verdict, and that of OpenSSL 3.0 where it differs, with the reason. */
type Row = readonly [NameConstraints, string, Verdict, Verdict?]

const rows: readonly Row[] = [
  [dns, 'DNS:data.example', 'allowed'],
  [dns, 'DNS:a.data.example', 'allowed'],
  [dns, 'DNS:a.b.data.example', 'allowed'],
  [dns, 'DNS:A.DATA.EXAMPLE', 'allowed'],
  [dns, 'DNS:*.data.example', 'allowed'],
  [dns, 'DNS:baddata.example', 'refused'],
  [dns, 'DNS:example', 'refused'],
  [dns, 'DNS:data.example.evil', 'refused'],
  [dns, 'DNS:*.example', 'refused'],
  [dns, 'DNS:data_example', 'refused'],
  [dns, 'DNS:a.data.example.', 'allowed', 'refused'], // openssl compares octets; the dot names the same host
  [dns, 'IP:192.0.2.1', 'allowed'],
  [dns, 'CN:app', 'allowed'],
  [dns, 'CN:Dr. Meier', 'allowed'],
  [dns, 'CN:a.data.example', 'allowed'],
  [dns, 'CN:evil.example', 'refused'],
  [dns, 'CN:evil.example.', 'refused', 'allowed'], // with its dot it is no host to openssl
  [dns, 'CN:*.evil.example', 'refused', 'allowed'], // openssl does not take a wildcard for a host
  [dns, 'CN:192.0.2.1', 'allowed', 'refused'], // to openssl an address is a DNS name
  [ip, 'CN:192.0.2.1', 'refused', 'allowed'], // openssl does not look for addresses
  [dns, 'CN:evil．example', 'refused', 'allowed'], // a full-width dot
  [dotted, 'DNS:a.data.example', 'allowed'],
  [dotted, 'DNS:data.example', 'refused'],
  [noDotted, 'DNS:data.example', 'refused', 'allowed'], // who excludes all below a domain hardly means to let the domain in
  [noDotted, 'DNS:a.data.example', 'refused'],
  [noDns, 'DNS:bad.data.example', 'refused'],
  [noDns, 'DNS:BAD.data.example', 'refused'],
  [noDns, 'DNS:a.bad.data.example', 'refused'],
  [noDns, 'DNS:good.data.example', 'allowed'],
  [noDns, 'DNS:notbad.data.example', 'allowed'],
  [noDns, 'DNS:*.data.example', 'refused', 'allowed'], // the wildcard covers the excluded host
  [noDns, 'DNS:*.bad.data.example', 'refused'],
  [noDns, 'DNS:*.example', 'allowed'],
  [noDns, 'DNS:bad.data.example.', 'refused', 'allowed'], // the trailing dot
  [ip, 'IP:10.1.2.3', 'allowed'],
  [ip, 'IP:11.0.0.0', 'refused'],
  [ip, 'IP:2001:db8::1', 'allowed'],
  [ip, 'IP:2001:db9::1', 'refused'],
  [ip, 'IP:::ffff:10.1.2.3', 'refused'],
  [ip, 'DNS:anything.example', 'allowed'],
  [noIp, 'IP:10.9.255.255', 'refused'],
  [noIp, 'IP:10.10.0.0', 'allowed'],
  [noIp, 'IP:fd12::1', 'refused'],
  [noIp, 'IP:::ffff:10.9.0.1', 'refused', 'allowed'], // a dual-stack socket reaches the excluded host
  [email, 'Email:dba@a.example', 'allowed'],
  [email, 'Email:dba@A.EXAMPLE', 'allowed'],
  [email, 'Email:DBA@a.example', 'refused'],
  [email, 'Email:x@b.example', 'allowed'],
  [email, 'Email:x@sub.b.example', 'refused'],
  [email, 'Email:x@sub.c.example', 'allowed'],
  [email, 'Email:x@c.example', 'refused'],
  [email, 'E:dba@a.example', 'allowed'],
  [email, 'E:x@evil.example', 'refused'],
  [noEmail, 'Email:root@a.example', 'refused'],
  [noEmail, 'Email:ROOT@a.example', 'refused', 'allowed'], // local parts differ by case in the standard, hardly in servers
  [noEmail, 'Email:x@a.example', 'allowed'],
  [noEmail, 'Email:x@B.example', 'refused'],
  [noEmail, 'E:x@deep.sub.c.example', 'refused'],
  [uri, 'URI:https://a.example/x', 'allowed'],
  [uri, 'URI:https://A.example:8443/x', 'allowed'],
  [uri, 'URI:https://x.b.example', 'allowed'],
  [uri, 'URI:https://b.example', 'refused'],
  [uri, 'URI:https://x.a.example', 'refused'],
  [uri, 'URI:https://a.example@evil.example/', 'refused'],
  [uri, 'URI:https://evil.example/#a.example', 'refused'],
  [uri, 'URI:https://evil.example?.b.example', 'refused', 'allowed'], // openssl ends the host only at ":" and "/"
  [uri, 'URI:urn:uuid:1', 'refused'],
  [uri, 'URI:https://10.0.0.1/', 'refused'],
  [uri, 'URI:https://[2001:db8::1]/', 'refused'],
  [uri, 'URI:https://%61.example/', 'refused'],
  [noUri, 'URI:https://a.example/', 'refused'],
  [noUri, 'URI:https://user@a.example/', 'refused', 'allowed'], // openssl takes user@a.example for the host
  [noUri, 'URI:https://a.example?x', 'refused', 'allowed'],
  [noUri, 'URI:https://a.example./', 'refused', 'allowed'],
  [noUri, 'URI:https://x.b.example/', 'refused'],
  [noUri, 'URI:https://c.example/', 'allowed'],
  [noUri, 'URI:https://10.0.0.1/', 'refused', 'allowed'], // cannot be judged
  [closed, 'DNS:a.data.example', 'allowed'],
  [closed, 'IP:192.0.2.1', 'refused'],
  [closed, 'IP:2001:db8::1', 'refused'],
  [closed, 'URI:spiffe://cluster.local/x', 'refused'],
  [closed, 'URI:urn:uuid:1', 'refused'],
  [closed, 'Email:a@b.example', 'refused'],
  [closed, 'E:a@b.example', 'refused'],
  [closedIp, 'IP:10.0.0.1', 'allowed'],
  [closedIp, 'DNS:a.example', 'refused'],
  [closedIp, 'CN:a.example', 'refused'],
]

interface Names {
  readonly subject: Uint8Array
  readonly names: readonly GeneralName[]
}

const namesOf = (text: string): Names => {
  const [, kind = '', value = ''] = /^([A-Za-z]+):(.*)$/.exec(text) ?? []
  if (kind === 'CN') return { subject: distinguishedName({ commonName: value }), names: [] }
  if (kind === 'E') return { subject: distinguishedName({ emailAddress: value }), names: [] }
  return { subject: emptyName, names: [{ type: kind as GeneralName['type'], value }] }
}

describe('name constraints', () => {
  test.each(rows.map((row, index) => [index + 1, row[1], row[2], row] as const))(
    'row %i: %s is %s',
    (_, __, ___, [constraints, text, verdict]) => {
      expect(constraintViolations([constraints], namesOf(text))).toHaveLength(verdict === 'allowed' ? 0 : 1)
    },
  )

  test('name the offender and the list', () =>
    expect(constraintViolations([dns], namesOf('DNS:evil.example'))).toEqual([
      'The DNS name "evil.example" is outside what the name constraints of the CA permit: data.example.',
    ]))

  test('of every CA in the chain hold', () => {
    const { subject, names } = namesOf('DNS:bad.data.example')
    expect(constraintViolations([dns, noDns], { subject, names })).toHaveLength(1)
    expect(constraintViolations([dns, permitted({ dnsDomains: ['other.example'] })], { subject, names })).toHaveLength(
      1,
    )
    expect(constraintViolations([], { subject, names, otherNames: 3 })).toEqual([])
  })

  test('refuse names of types that they cannot be checked against', () =>
    expect(constraintViolations([noIp], { ...namesOf('DNS:a'), otherNames: 1 })).toHaveLength(1))

  const ofAcme = { directoryNames: [parseDistinguishedName('O=Acme')] }
  const directory: NameConstraints = { ...dns, permitted: { ...dns.excluded, ...ofAcme } }
  const dnsInDirectory: NameConstraints = { ...dns, permitted: { ...dns.permitted, ...ofAcme } }
  const dnsButIp: NameConstraints = { permitted: dns.permitted, excluded: noIp.excluded }
  const all = ['DNS:a.data.example', 'IP:192.0.2.1', 'URI:urn:uuid:1', 'URI:https://c.d/', 'Email:a@d.e', 'E:a@d.e']

  /** What RFC 5280 §4.2.1.10 would let each of them sign, and what of it is refused when they are to be closed. */
  const closing: readonly (readonly [string, NameConstraints, readonly string[]])[] = [
    ['permitted DNS names', dns, all.slice(1)],
    ['permitted DNS names and other excluded addresses', dnsButIp, all.slice(1)],
    ['permitted DNS names and directory names', dnsInDirectory, all.slice(1)],
    ['permitted directory names alone, which are about the subject', directory, []],
    ['excluded names alone, which are exceptions', noDns, []],
    ['excluded addresses alone', noIp, []],
  ]
  test.each(closing)('that are to be closed, with %s', (_, constraints, refused) => {
    const refusedIf = (toClose: boolean): string[] =>
      all.filter((text) => {
        const { names } = namesOf(text)
        const emailAddress = text.startsWith('E:') ? { emailAddress: text.slice(2) } : {}
        const subject = distinguishedName({ organizations: ['Acme'], ...emailAddress })
        return constraintViolations([constraints], { subject, names }, { closed: toClose }).length > 0
      })
    expect(refusedIf(false)).toEqual([])
    expect(refusedIf(true)).toEqual(refused)
  })

  test('that are to be closed say which types are open', () =>
    expect(constraintViolations([dns, closed], namesOf('IP:8.8.8.8'), { closed: true })).toEqual([
      'The IP address "8.8.8.8" is of a type of which the name constraints of the CA permit nothing; they permit only DNS, and that closes every other type. Leave it out, or use a CA that permits it.',
      'The IP address "8.8.8.8" is excluded by the name constraints of the CA: 0.0.0.0/0.',
    ]))

  test('refuse as much when they are to be closed as those that were closed when they were written', () => {
    const subtrees = fc.record({
      dnsDomains: fc.subarray(['data.example', 'example']),
      ipRanges: fc.subarray(['10.0.0.0/8', 'fd00::/8']),
      emailAddresses: fc.subarray(['b.example', 'a@b.example']),
      uriDomains: fc.subarray(['b.example', '.example']),
    })
    const name = fc.constantFrom(
      ...['DNS:a.data.example', 'DNS:other', 'IP:10.1.1.1', 'IP:::1', 'URI:https://b.example/', 'URI:urn:x:y'],
      ...['Email:a@b.example', 'E:c@b.example', 'CN:a.example', 'CN:10.1.1.1', 'CN:app'],
    )
    fc.assert(
      fc.property(subtrees, subtrees, name, (allowed, forbidden, text) => {
        const open = nameConstraints({ permitted: allowed, excluded: forbidden })
        if (open === undefined) return
        const [judged, written] = [namesOf(text), closeOpenTypes(open)]
        expect(constraintViolations([open], judged, { closed: true }).length > 0).toBe(
          constraintViolations([written], judged).length > 0,
        )
      }),
    )
  })

  test.each([
    ['O=Acme,C=DE', 'CN=a,O=Acme,C=DE', 0],
    ['O=Acme,C=DE', 'CN=a,O=\\ ACME\\ ,C=DE', 0],
    ['O=Acme,C=DE', 'CN=a,C=DE', 1],
    ['O=Acme,C=DE', 'O=Acme', 1],
    ['O=Acme,C=DE', '', 0],
  ])('of the directory name %s on %s', (base, subject, count) => {
    const directoryNames = [parseDistinguishedName(base)]
    const inside: NameConstraints = { ...noDns, permitted: { ...noDns.permitted, directoryNames } }
    const outside: NameConstraints = { ...noDns, excluded: { ...noDns.permitted, directoryNames } }
    const judged = { subject: parseDistinguishedName(subject), names: [] }
    expect(constraintViolations([inside], judged)).toHaveLength(count)
    if (subject !== '') expect(constraintViolations([outside], judged)).toHaveLength(1 - count)
  })

  const label = fc.stringMatching(/^[a-z0-9]{1,6}$/)
  test('allow or exclude exactly the hosts whose last labels are the domain', () =>
    fc.assert(
      fc.property(
        fc.array(label, { minLength: 1, maxLength: 4 }),
        fc.array(label, { minLength: 1, maxLength: 3 }),
        (host, domain) => {
          const within = host.slice(-domain.length).join() === domain.join()
          const judged = { subject: emptyName, names: [{ type: 'DNS' as const, value: host.join('.') }] }
          const domains = { ...noDns.permitted, dnsDomains: [domain.join('.')] }
          expect(constraintViolations([{ permitted: domains, excluded: noDns.permitted }], judged)).toHaveLength(
            within ? 0 : 1,
          )
          expect(constraintViolations([{ permitted: noDns.permitted, excluded: domains }], judged)).toHaveLength(
            within ? 1 : 0,
          )
        },
      ),
    ))

  test('hold an address in exactly the ranges that share its first bits', () =>
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.integer({ min: 0, max: 32 }), (base, address, prefix) => {
        const text = (value: number): string =>
          [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
        const same = Math.floor(base / 2 ** (32 - prefix)) === Math.floor(address / 2 ** (32 - prefix))
        expect(rangeHolds(`${text(base)}/${prefix}`, text(address))).toBe(same)
      }),
    ))
})

describe('a chain', () => {
  test('whose leaf breaks the constraints of the root has a problem, over an intermediate too', async () => {
    const root = await makeRoot({ nameConstraints: noIp })
    const middle = await makeIntermediate(root, 'Middle')
    const forge = async (names: readonly GeneralName[]) => {
      const plan = planLeaf(middle.signer, await generate(), { subjectAlternativeNames: names })
      const tbs = encodeTbs(plan, middle.signer.signatureAlgorithm)
      return parseCertificate(sequence(tbs, middle.signer.signatureAlgorithm, bitString(await middle.signer.sign(tbs))))
    }
    const above = [[parseCertificate(middle.certificate)], [parseCertificate(root.certificate)], now] as const
    expect(chainProblems(await forge([{ type: 'IP', value: '10.9.0.1' }]), ...above)).toEqual([
      'The IP address "10.9.0.1" is excluded by the name constraints of the CA: 10.9.0.0/16.',
    ])
    expect(chainProblems(await forge([{ type: 'IP', value: '10.8.0.1' }]), ...above)).toEqual([])
    expect(middle.signer.nameConstraints).toEqual([noIp])
  })
})

describe.skipIf(opensslVersion === undefined)('openssl verify', () => {
  let folder: string
  let key: KeyPair
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dbtls-constraints-'))
    key = await generate()
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test('agrees row by row, but where the table says that it does not', async () => {
    const roots = new Map<NameConstraints, Awaited<ReturnType<typeof rootWith>>>()
    const verdicts: string[] = []
    for (const [index, [constraints, text]] of rows.entries()) {
      const root = roots.get(constraints) ?? (await rootWith(constraints, `root-${index}`))
      roots.set(constraints, root)
      const { subject, names } = namesOf(text)
      const plan = planLeaf(root.signer, key, { subject, subjectAlternativeNames: names })
      const tbs = encodeTbs(plan, root.signer.signatureAlgorithm)
      const leaf = sequence(tbs, root.signer.signatureAlgorithm, bitString(await root.signer.sign(tbs)))
      const file = join(folder, `${index}.pem`)
      writeFileSync(file, encodePem('CERTIFICATE', leaf))
      const time = String(now / 1000 + 60)
      const { status, stderr } = spawnSync('openssl', ['verify', '-attime', time, '-CAfile', root.file, file])
      const refused =
        /permitted subtree violation|excluded subtree violation|name constraint|unsupported or invalid name syntax/
      if (status !== 0 && !refused.test(String(stderr))) throw new Error(`${text}: ${String(stderr)}`)
      verdicts.push(`${index + 1} ${text} ${status === 0 ? 'allowed' : 'refused'}`)
    }
    const expected = rows.map(([, text, ours, theirs], index) => `${index + 1} ${text} ${theirs ?? ours}`)
    // Other versions may have mended a difference, but not made one.
    const sure = (_: string, index: number): boolean => opensslVersion?.startsWith('OpenSSL 3.0.') || !rows[index]?.[3]
    expect(verdicts.filter(sure)).toEqual(expected.filter(sure))
  }, 60_000)

  const rootWith = async (constraints: NameConstraints, name: string) => {
    // makeRoot refuses the leading dot that a foreign CA may have written.
    const foreign = [...constraints.permitted.dnsDomains, ...constraints.excluded.dnsDomains].some((text) =>
      text.startsWith('.'),
    )
    const root = foreign ? await makeForeignRoot(constraints) : await makeRoot({ nameConstraints: constraints })
    const file = join(folder, `${name}.pem`)
    writeFileSync(file, encodePem('CERTIFICATE', root.certificate))
    return { ...root, file }
  }

  const makeForeignRoot = async (constraints: NameConstraints) => {
    const { signer, certificate } = await makeRoot()
    const parsed = parseCertificate(certificate)
    const plan = {
      ...planLeaf(signer, key),
      ...{ subject: parsed.subject, subjectPublicKeyInfo: parsed.spki, subjectKeyId: signer.subjectKeyId },
      ...{ basicConstraints: { ca: true }, keyUsage: ['keyCertSign'] as const, extendedKeyUsage: [] },
      ...{ subjectAlternativeNames: [], nameConstraints: constraints },
    }
    const tbs = encodeTbs(plan, signer.signatureAlgorithm)
    return { signer, certificate: sequence(tbs, signer.signatureAlgorithm, bitString(await signer.sign(tbs))) }
  }
})
