import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { revocationReasons } from '../../resources/issued-certificate.ts'
import {
  formatIndex,
  formatRevocation,
  type IndexLine,
  lostInFormat,
  parseIndex,
  parseLine,
  parseRevocation,
  type Revocation,
} from './index-file.ts'

const line: IndexLine = {
  state: 'V',
  notAfter: Date.parse('2026-12-21T05:44:27Z'),
  revocation: '',
  serialNumber: '10',
  file: 'unknown',
  subject: '/C=DE/O=Acme/CN=d',
}

describe('a line', () => {
  const written: readonly { readonly text: string; readonly line: IndexLine }[] = [
    { text: 'V\t261221054427Z\t\t10\tunknown\t/C=DE/O=Acme/CN=d', line },
    {
      text: 'R\t261221054427Z\t261121054348Z,keyCompromise\t24401D5D\tunknown\t/CN=a',
      line: {
        ...line,
        state: 'R',
        revocation: '261121054348Z,keyCompromise',
        serialNumber: '24401D5D',
        subject: '/CN=a',
      },
    },
    {
      text: 'E\t20551231235959Z\t\t0F\tunknown\t/CN=tab\\x09x\\y\\/z',
      line: {
        ...line,
        state: 'E',
        notAfter: Date.parse('2055-12-31T23:59:59Z'),
        serialNumber: '0F',
        subject: '/CN=tab\\x09x\\y\\/z',
      },
    },
  ]
  it.each(written)('$text', ({ text, line: meant }) => {
    expect(formatIndex([meant])).toBe(`${text}\n`)
    expect(parseLine(text)).toEqual(meant)
  })

  const field = fc.stringMatching(/^[\x20-\x5b\x5d-\x7e\t]{0,40}$/)
  const second = fc
    .integer({ min: Date.parse('1950-01-01T00:00:00Z') / 1000, max: Date.parse('9999-12-31T23:59:59Z') / 1000 })
    .map((seconds) => seconds * 1000)
  const serial = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) =>
    Buffer.from(bytes)
      .toString('hex')
      .toUpperCase()
      .replace(/^(00)+(?=..)/, ''),
  )
  const anyLine = fc.record<IndexLine>({
    state: fc.constantFrom('V', 'E'),
    notAfter: second,
    revocation: fc.constant(''),
    serialNumber: serial,
    file: field,
    subject: fc.stringMatching(/^\/[\x20-\x7e]{0,60}$/),
  })
  const revocation = fc.record<Revocation>({ time: second, reason: fc.constantFrom(...revocationReasons) })
  const compromise = fc.record<Revocation>({
    time: second,
    reason: fc.constantFrom('keyCompromise', 'cACompromise'),
    invalidityTime: second,
  })

  it('comes back as it was written', () => {
    const lines = fc.uniqueArray(
      fc.oneof(
        anyLine,
        fc.tuple(anyLine, fc.oneof(revocation, compromise)).map(([valid, revoked]): IndexLine => ({
          ...valid,
          state: 'R',
          revocation: formatRevocation(revoked),
        })),
      ),
      { selector: ({ serialNumber }) => serialNumber, maxLength: 20 },
    )
    fc.assert(
      fc.property(lines, (all) => {
        const text = formatIndex(all)
        const { lines: read, problems } = parseIndex(text)
        expect(problems).toEqual([])
        expect(read.map((one) => one.line)).toEqual(all)
        expect(parseIndex(text.replaceAll('\n', '\r\n')).lines.map((one) => one.line)).toEqual(all)
      }),
    )
  })

  it('keeps of a revocation what openssl has words for, and says what it has none for', () => {
    fc.assert(
      fc.property(fc.oneof(revocation, compromise), (revoked) => {
        const read = parseRevocation(formatRevocation(revoked))
        expect(read.time).toBe(revoked.time)
        if (lostInFormat(revoked) === undefined) expect(read).toEqual(revoked)
        else expect(read.reason).toBe('unspecified')
      }),
    )
  })

  it('is named where it is broken, and takes no other line along', () => {
    const text = [
      '# a comment',
      'V\t261221054427Z\t\t10\tunknown\t/CN=a',
      'V\t261221054427Z\t10\tunknown\t/CN=b',
      '',
      'V\t261321054427Z\t\t11\tunknown\t/CN=c',
      'V\t261221054427Z\t\t10\tunknown\t/CN=d',
      'V\t261221054427Z\t\t12\tunknown\t/CN=e\r',
    ].join('\n')
    const { lines, problems } = parseIndex(text)
    expect(lines.map(({ number, line: { subject } }) => [number, subject])).toEqual([
      [2, '/CN=a'],
      [7, '/CN=e'],
    ])
    expect(problems).toEqual([
      { number: 3, problem: 'it has 5 fields between TABs, not 6' },
      { number: 5, problem: '"261321054427Z" is not a time as openssl writes it' },
      { number: 6, problem: 'serial number 10 stands in line 2, too' },
    ])
  })

  const broken: readonly (readonly [string, RegExp])[] = [
    ['S\t261221054427Z\t\t10\tunknown\t/CN=a', /not V, R or E/],
    ['V\t261221054427Z\t261121054348Z\t10\tunknown\t/CN=a', /yet it has a revocation date/],
    ['R\t261221054427Z\t\t10\tunknown\t/CN=a', /no revocation date/],
    ['R\t261221054427Z\tyesterday\t10\tunknown\t/CN=a', /not a time/],
    ['R\t261221054427Z\t261121054348Z,angry\t10\tunknown\t/CN=a', /"angry" is none/],
    ['R\t261221054427Z\t261121054348Z,keyTime\t10\tunknown\t/CN=a', /has no time/],
    ['V\t261221054427Z\t\t1\tunknown\t/CN=a', /even number of digits/],
    ['V\t261221054427Z\t\t-01\tunknown\t/CN=a', /negative/],
    ['V\t261221054427Z\t\t../../etc\tunknown\t/CN=a', /not hex/],
    [`V\t261221054427Z\t\t${'00'.repeat(21)}\tunknown\t/CN=a`, /21 octets/],
    [`V\t261221054427Z\t\t10\tunknown\t/CN=${'a'.repeat(20_000)}`, /at most 16384/],
    ['V\t261221054427Z\t\t1\u001b[2J\tunknown\t/CN=a', /"1\?\[2J"/],
  ]
  it.each(broken)('%j is refused', (text, problem) => {
    expect(() => parseLine(text)).toThrow(problem)
  })
})

describe('a revocation', () => {
  const at = Date.parse('2026-11-21T05:43:48Z')
  it.each([
    ['261121054348Z', { reason: 'unspecified' }],
    ['261121054348Z,unspecified', { reason: 'unspecified' }],
    ['261121054348Z,cacompromise', { reason: 'cACompromise' }],
    ['261121054348Z,holdInstruction,holdInstructionReject', { reason: 'certificateHold' }],
    ['261121054348Z,removeFromCRL', { reason: 'certificateHold' }],
    [
      '261121054348Z,keyTime,20260101120000Z',
      { reason: 'keyCompromise', invalidityTime: Date.parse('2026-01-01T12:00:00Z') },
    ],
    [
      '261121054348Z,CAkeyTime,20260101120000Z',
      { reason: 'cACompromise', invalidityTime: Date.parse('2026-01-01T12:00:00Z') },
    ],
  ])('%s', (text, meant) => {
    expect(parseRevocation(text)).toEqual({ time: at, ...meant })
  })
})
