import { describe, expect, test } from 'vitest'
import { makeAuthority, rsaKey } from './import.fixture.ts'
import { importTrust } from './trust.ts'
import { parseCertificate } from '../certificates/parse.ts'
import { day, opensslVersion } from '../testing.ts'

const present = Math.floor(Date.now() / 1000) * 1000 + 3_600_000
const judge = (text: string, now = present) => importTrust(Buffer.from(text), now)

describe.skipIf(opensslVersion === undefined)('a bundle of trust', () => {
  const one = makeAuthority({ subject: '/CN=one' })
  const two = makeAuthority({ subject: '/CN=two', key: rsaKey(2048) })
  const short = makeAuthority({ subject: '/CN=short', days: 10 })
  const between = makeAuthority({ subject: '/CN=between', signedBy: one, days: 100 })
  const server = makeAuthority({ subject: '/CN=db', extensions: ['basicConstraints = CA:FALSE'] })
  const leaf = makeAuthority({ subject: '/CN=leaf', signedBy: one, extensions: ['basicConstraints = CA:FALSE'] })
  const weak = makeAuthority({ subject: '/CN=weak', key: rsaKey(1024) })
  const aged = makeAuthority({ subject: '/CN=aged', signedBy: one, arguments: ['-sha1'] })

  const names = (text: string, now = present): string[] => {
    const verdict = judge(text, now)
    if (verdict.state === 'refused') throw new Error(verdict.problems.join(' '))
    return verdict.bundle.trust.map((der) => Buffer.from(parseCertificate(der).subject).toString('latin1').slice(-3))
  }

  test('keeps several roots in their order, each once, whatever stands around them', () => {
    const text = `\uFEFF# EU\r\n${two.certificate}\n# again\n${one.certificate}${two.certificate}`
    expect(names(text)).toEqual(['two', 'one'])
  })

  test('keeps CAs below a root and servers that vouch for themselves, and leaves out other leaves', () => {
    const verdict = judge(one.certificate + between.certificate + server.certificate + leaf.certificate)
    if (verdict.state === 'refused') throw new Error('refused')
    expect(verdict.bundle.trust).toHaveLength(3)
    expect(verdict.bundle.warnings).toEqual(['Left out, because they are neither CAs nor self-signed: "CN=leaf".'])
  })

  test('drops what has expired, names it, and says when the next one ends', () => {
    const text = one.certificate + short.certificate + between.certificate
    const before = judge(text)
    const after = judge(text, present + 20 * day)
    if (before.state === 'refused' || after.state === 'refused') throw new Error('refused')
    expect([before.bundle.trust.length, before.bundle.expired]).toEqual([3, undefined])
    expect(after.bundle.trust).toHaveLength(2)
    expect(after.bundle.expired).toMatch(/^Left out, because it has expired: "CN=short" at 20.*Z\.$/)
    expect(before.bundle.nextEnd).toBeLessThan(after.bundle.nextEnd)
    expect(names(text, before.bundle.nextEnd)).toHaveLength(3)
    expect(names(text, before.bundle.nextEnd + 1)).toHaveLength(2)
  })

  test.each([
    ['a short key', weak.certificate, '"CN=weak" has an RSA key of 1024 bits'],
    ['a weak signature', aged.certificate, '"CN=aged" is signed with SHA-1'],
  ])('keeps %s with a warning', (_, text, warning) => {
    const verdict = judge(text)
    expect(verdict.state === 'usable' && verdict.bundle.trust.length).toBe(1)
    expect(verdict.state === 'usable' && verdict.bundle.warnings.join(' ')).toContain(warning)
  })

  test('leaves out what it cannot read and keeps the rest', () => {
    const broken = '-----BEGIN CERTIFICATE-----\nMAUCAQECAQI=\n-----END CERTIFICATE-----\n'
    const verdict = judge(broken + one.certificate)
    expect(verdict.state === 'usable' && verdict.bundle.trust.length).toBe(1)
    expect(verdict.state === 'usable' && verdict.bundle.warnings.join(' ')).toContain('Certificate 1 of the text')
  })

  test.each([
    ['nothing', '', 'Invalid', 'holds no PEM certificate'],
    ['a key alone', one.key, 'Invalid', 'holds no PEM certificate'],
    ['a cut bundle', one.certificate.slice(0, 200), 'Invalid', 'has no END line'],
    ['leaves alone', leaf.certificate, 'Invalid', 'neither CAs nor self-signed'],
  ])('is refused as a whole: %s', (_, text, kind, says) => {
    const verdict = judge(text)
    expect(verdict).toMatchObject({ state: 'refused', kind })
    expect(verdict.state === 'refused' && verdict.problems.join(' ')).toContain(says)
  })

  test('is refused when all of it has expired', () => {
    const verdict = judge(short.certificate, present + 20 * day)
    expect(verdict).toMatchObject({ state: 'refused', kind: 'Expired' })
  })
})
