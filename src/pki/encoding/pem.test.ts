import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { certificatesOf, decodePem, encodePem, PemError } from './pem.ts'

const der = Uint8Array.from({ length: 100 }, (_, i) => i)
const pem = encodePem('CERTIFICATE', der)

describe('PEM', () => {
  test('has lines of 64 characters and ends with a newline', () => {
    const lines = pem.split('\n')
    expect(lines.map(({ length }) => length)).toEqual([27, 64, 64, 8, 25, 0])
  })

  test('is read back, whatever it holds', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 4 }), (values) => {
        const text = values.map((value) => encodePem('PRIVATE KEY', value)).join('')
        expect(decodePem(text).map((block) => [block.label, ...block.der])).toEqual(
          values.map((value) => ['PRIVATE KEY', ...value]),
        )
      }),
    )
  })

  test.each([
    ['CRLF', pem.replaceAll('\n', '\r\n')],
    ['a byte order mark', `\uFEFF${pem}`],
    ['text around it', `subject=CN=a\n${pem}issuer=CN=b\n`],
    ['spaces at the ends of lines', pem.replaceAll('\n', ' \n')],
    ['no newline at the end', pem.trimEnd()],
    ['lines of other lengths', pem.replace(/([A-Za-z0-9+/]{64})\n/g, '$1')],
    ['a mention of BEGIN within a line', `see -----BEGIN CERTIFICATE----- below\n${pem}`],
  ])('is read with %s', (_, text) => expect(certificatesOf(text).map((found) => [...found])).toEqual([[...der]]))

  test.each([
    ['no END line', pem.replace(/-----END.*/, ''), 'no END line'],
    ['another label at its END', pem.replace('END CERTIFICATE', 'END PRIVATE KEY'), 'no END line'],
    ['a broken BEGIN line', pem.replace('CERTIFICATE-----', 'CERTIFICATE---'), 'broken BEGIN line'],
    ['a foreign character', pem.replace('AAEC', 'AAE*'), 'not base64'],
    ['a block within a block', `-----BEGIN CERTIFICATE-----\n${pem}`, 'not base64'],
    ['nothing in it', encodePem('CERTIFICATE', new Uint8Array()), 'not base64'],
    ['loose bits at its end', encodePem('CERTIFICATE', Uint8Array.of(0)).replace('AA==', 'AB=='), 'not base64'],
    ['headers', pem.replace('-----\n', '-----\nProc-Type: 4,ENCRYPTED\n\n'), 'headers'],
    ['5 MB', 'x'.repeat(5_000_000), 'larger'],
  ])('is refused with %s', (_, text, message) => {
    expect(() => decodePem(text)).toThrow(PemError)
    expect(() => decodePem(text)).toThrow(message)
  })

  const withHeaders = pem.replace('-----\n', '-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00FF\n\n')

  test.each([
    ['line feeds', withHeaders],
    ['CRLF', withHeaders.replaceAll('\n', '\r\n')],
  ])('is read with its headers and %s where they are asked for', (_, text) => {
    const [block] = decodePem(text, { headers: true })
    expect([...(block?.headers ?? [])]).toEqual([
      ['Proc-Type', '4,ENCRYPTED'],
      ['DEK-Info', 'AES-256-CBC,00FF'],
    ])
    expect([...(block?.der ?? [])]).toEqual([...der])
  })

  test.each([
    ['do not end', withHeaders.replace('\n\n', '\n')],
    ['have no name', withHeaders.replace('DEK-Info', '')],
  ])('is refused where headers %s', (_, text) =>
    expect(() => decodePem(text, { headers: true })).toThrow('headers that cannot be read'),
  )

  test('says nothing of what it holds when it is refused', () => {
    const broken = pem.replace('AAEC', 'AAE*')
    expect(() => decodePem(broken)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('AAE') }))
  })

  test('without blocks is an empty list', () => expect(decodePem('nothing here')).toEqual([]))

  test('gives up its certificates and passes keys over', () => {
    const text = encodePem('PRIVATE KEY', der) + pem + encodePem('X509 CERTIFICATE', der)
    expect(certificatesOf(text)).toHaveLength(2)
    expect(() => certificatesOf(encodePem('TRUSTED CERTIFICATE', der))).toThrow('openssl x509')
  })

  test.each(['', 'a', 'A-B', 'A\nB', ' A'])('is not written with the label %j', (label) =>
    expect(() => encodePem(label, der)).toThrow(PemError),
  )
})
