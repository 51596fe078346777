/** The folder is judged by openssl itself: it goes on from what is exported, and what it made comes back the same. */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { bitString, children, readOnly, sequence, time, unsignedInteger } from '../../pki/encoding/der.ts'
import { issueCertificate } from '../../pki/certificates/certificate.ts'
import { distinguishedName } from '../../pki/names/names.ts'
import { parseCertificate, type ParsedCertificate } from '../../pki/certificates/parse.ts'
import { encodePem } from '../../pki/encoding/pem.ts'
import { type Authority, day, generate, makeRoot, planLeaf } from '../../pki/testing.ts'
import type { IssuedCertificate } from '../../resources/issued-certificate.ts'
import { exportFolder } from './export.ts'
import { takeLine, type Taker } from './import.ts'
import { formatIndex, parseIndex } from './index-file.ts'
import { exported } from './stored.ts'

const now = Date.now()
const hour = 3600_000
let root: Authority
let authority: ParsedCertificate
let taker: Taker
let entries: IssuedCertificate[]

const key = await generate()

/** Our own signer draws its serial numbers; openssl counts. So the number is put in, and signed again. */
const signed = async (
  /** Undefined: no subject, only other names. */
  commonName: string | undefined,
  serial: string,
  [notBefore, notAfter]: readonly [number, number] = [now - hour, now + 90 * day],
  by = root,
): Promise<IssuedCertificate> => {
  const subject = distinguishedName(commonName === undefined ? {} : { commonName, organizations: ['Acme'] })
  const { signer } = by
  const [plain] = children(readOnly((await issueCertificate(planLeaf(signer, key, { subject }), signer)).der))
  const fields = children(plain!).map(({ encoded }) => encoded)
  const tbs = sequence(
    ...fields.with(1, unsignedInteger(Buffer.from(serial, 'hex'))).with(4, sequence(time(notBefore), time(notAfter))),
  )
  const certificate = sequence(tbs, signer.signatureAlgorithm, bitString(await signer.sign(tbs)))
  return {
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'IssuedCertificate',
    metadata: { name: `ca-${serial}`, namespace: 'data' },
    spec: {
      authorityRef: { name: 'ca', uid: 'u', fingerprint: 'f' },
      serialNumber: serial,
      certificate: encodePem('CERTIFICATE', certificate),
    },
  }
}

/** The same key, which calls itself otherwise in what it signs. */
const makeIdentified = (of: Authority, subjectKeyId: Uint8Array): Authority => ({
  ...of,
  signer: { ...of.signer, subjectKeyId },
})

const revoked = (entry: IssuedCertificate, reason: string, invalidityTime?: string): IssuedCertificate => ({
  ...entry,
  spec: {
    ...entry.spec,
    revocation: {
      reason: reason as 'unspecified',
      time: '2026-11-20T12:00:00Z',
      ...(invalidityTime === undefined ? {} : { invalidityTime }),
    },
  },
})

const reasons = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'privilegeWithdrawn',
  'aACompromise',
]

beforeAll(async () => {
  root = await makeRoot()
  authority = parseCertificate(root.certificate)
  taker = { namespace: 'data', name: 'ca', uid: 'u', certificate: authority }
  entries = [
    await signed('plain', '0A'),
    await signed('Zürich/+ "x"', '7F'.repeat(16)),
    await signed('long', '0B', [now - hour, now + 9000 * day]),
    await signed('ended', '0C', [now - 90 * day, now - day]),
    revoked(await signed('ended', '0D', [now - 90 * day, now - day]), 'superseded'),
    ...(await Promise.all(reasons.map(async (reason, at) => revoked(await signed(`r-${reason}`, `2${at}`), reason)))),
    revoked(await signed('since', '30'), 'keyCompromise', '2026-11-01T00:00:00Z'),
    revoked(await signed('since', '31'), 'cACompromise', '2026-11-01T00:00:00Z'),
    revoked(await signed('since', '32'), 'superseded', '2026-11-01T00:00:00Z'),
    await signed(undefined, '08'),
    await signed(undefined, '09'),
  ]
})

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-openssl-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const made = (of = entries, next = 10n, uniqueSubject = false) =>
  exportFolder({
    authority,
    entries: of,
    nextRevocationListNumber: next,
    policy: undefined,
    uniqueSubject,
    crlDays: 31,
    days: 90,
    privateKey: encodePem('PRIVATE KEY', root.key.pkcs8),
    now,
  })

const write = ({ files }: ReturnType<typeof made>): void => {
  for (const [path, text] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

const read = (name: string): string => readFileSync(join(folder, name), 'latin1')

const openssl = (...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' })
  // -status ends with 1 whatever it found (openssl 3.0.19).
  if (status !== 0 && !args.includes('-status')) throw new Error(`openssl ${args.join(' ')}: ${stderr}`)
  return stdout + stderr
}
const ca = (...args: string[]): string => openssl('ca', '-batch', '-config', 'openssl.cnf', ...args)

/** Takes the folder over as the verb does, without a cluster. */
const takenOver = (): IssuedCertificate[] => {
  const { lines, problems } = parseIndex(read('index.txt'))
  expect(problems).toEqual([])
  return lines.map((line) => {
    const path = `newcerts/${line.line.serialNumber}.pem`
    const { entry, warning } = takeLine(line, existsSync(join(folder, path)) ? read(path) : undefined, taker)
    expect(warning).toBeUndefined()
    return entry
  })
}

describe('openssl goes on from the export', () => {
  beforeEach(() => write(made()))

  it.each([
    ['0A', '0A=Valid (V)'],
    ['0C', '0C=Expired (E)'],
    ['21', '21=Revoked (R)'],
    ['7F'.repeat(16), `${'7F'.repeat(16)}=Valid (V)`],
  ])('-status %s', (serial, answer) => {
    expect(ca('-status', serial)).toContain(answer)
  })

  it('-updatedb finds nothing to update', () => {
    const before = read('index.txt')
    expect(ca('-updatedb')).not.toContain('=Expired')
    expect(read('index.txt')).toBe(before)
  })

  it('-gencrl lists what is revoked, under the next number', () => {
    ca('-gencrl', '-out', 'crl.pem')
    const text = openssl('crl', '-in', 'crl.pem', '-noout', '-text')
    expect(text).toMatch(/X509v3 CRL Number: \n +10\n/)
    expect(read('crlnumber')).toBe('0B\n')
    const listed = [...text.matchAll(/Serial Number: ([0-9A-F]+)/g)].map(([, serial]) => serial)
    expect(listed).toEqual(['0D', '20', '21', '22', '23', '24', '25', '26', '27', '28', '30', '31', '32'])
    expect(text).toMatch(/Serial Number: 30\n[^]*?Key Compromise\n +Invalidity Date: \n +Nov {2}1 00:00:00 2026 GMT\n/)
  })

  it('-gencrl lists what a person dated before any list can say', async () => {
    const entry = revoked(await signed('old', '0E'), 'keyCompromise', '0000-02-01T00:00:00Z')
    const revocation = { ...entry.spec.revocation, reason: 'keyCompromise' as const, time: '0001-01-01T00:00:00Z' }
    write(made([{ ...entry, spec: { ...entry.spec, revocation } }]))
    ca('-gencrl', '-out', 'crl.pem')
    expect(openssl('crl', '-in', 'crl.pem', '-noout', '-text')).toMatch(
      /Serial Number: 0E\n +Revocation Date: Jan {2}1 00:00:00 1950 GMT\n[^]*Jan {2}1 00:00:00 1950 GMT/,
    )
  })

  it('a certificate is signed under the next counted number, and stands where the next export has it', () => {
    const request = ['-newkey', 'rsa:2048', '-nodes', '-keyout', 'k.pem', '-subj', '/O=Acme/CN=next']
    openssl('req', '-new', ...request, '-out', 'r.pem')
    ca('-in', 'r.pem', '-out', 'o.pem', '-notext')
    expect(read('index.txt').split('\n').at(-2)).toMatch(/^V\t\d{12}Z\t\t33\tunknown\t\/O=Acme\/CN=next$/)
    expect(openssl('verify', '-CAfile', 'cacert.pem', 'newcerts/33.pem')).toContain('OK')
    const again = made(takenOver(), 10n)
    expect(again.files.get('index.txt')).toBe(read('index.txt'))
    expect(again.files.get('serial')).toBe(read('serial'))
    expect(again.files.get('newcerts/33.pem')).toBe(read('newcerts/33.pem'))
  })

  it('-revoke finds a certificate without a subject, and the folder is taken back', () => {
    ca('-revoke', 'newcerts/08.pem', '-crl_reason', 'superseded')
    expect(read('index.txt')).toMatch(/^R\t\d+Z\t\d+Z,superseded\t08\tunknown\t08$/m)
    const taken = takenOver()
    expect(taken.find(({ spec }) => spec.serialNumber === '08')?.spec.revocation?.reason).toBe('superseded')
    expect(made(taken).files.get('index.txt')).toBe(read('index.txt'))
  })

  it('what openssl revokes is the line that we write', () => {
    const [plain, , long] = entries
    ca('-revoke', 'newcerts/0A.pem', '-crl_reason', 'keyCompromise')
    ca('-revoke', 'newcerts/0B.pem', '-crl_compromise', '20261101000000Z')
    const dates = [...read('index.txt').matchAll(/^R\t\d+Z\t(\d{12}Z)[^\t]*\t(?:0A|0B)\t/gm)].map(
      ([, date = '']) => date,
    )
    const instant = (date = '') => date.replace(/(..)(..)(..)(..)(..)(..)Z/, '20$1-$2-$3T$4:$5:$6Z')
    const ours = [revoked(plain!, 'keyCompromise'), revoked(long!, 'keyCompromise', '2026-11-01T00:00:00Z')].map(
      (entry, at) => ({
        ...entry,
        spec: { ...entry.spec, revocation: { ...entry.spec.revocation!, time: instant(dates[at]) } },
      }),
    )
    const lines = read('index.txt').split('\n')
    for (const entry of ours) expect(lines).toContain(formatIndex([exported(entry, now).line]).trimEnd())
    expect(ours).toHaveLength(2)
  })
})

describe('an export', () => {
  it('taken over and exported again is the same, byte for byte', () => {
    write(made())
    const again = made(takenOver())
    expect([...again.files.keys()].toSorted()).toEqual([...made().files.keys()].toSorted())
    for (const [path, text] of again.files) expect(text, path).toBe(read(path))
  })

  it('says what openssl cannot be told', () => {
    expect(made().notes).toEqual([
      'serial number 27: openssl knows no reason privilegeWithdrawn; index.txt says only that it is revoked',
      'serial number 28: openssl knows no reason aACompromise; index.txt says only that it is revoked',
      'serial number 32: openssl keeps no invalidity time beside the reason superseded; index.txt says only that it is revoked',
    ])
  })

  it('can be opened by openssl where names shall be unique and are not', async () => {
    const twins = [...entries, await signed('plain', '40')]
    const { files, notes } = made(twins, 1n, true)
    expect(files.get('index.txt.attr')).toBe('unique_subject = no\n')
    expect(notes.join()).toContain('unique_subject = no')
    write(made(twins, 1n, true))
    expect(ca('-status', '40')).toContain('Valid')
    expect(made(entries, 1n, true).files.get('index.txt.attr')).toBe('unique_subject = yes\n')
  })

  it('keeps names unique where several have none: openssl takes the serial number for it', () => {
    const { files, notes } = made(
      entries.filter(({ spec }) => /^0[89]$/.test(spec.serialNumber)),
      1n,
      true,
    )
    expect(files.get('index.txt.attr')).toBe('unique_subject = yes\n')
    expect(files.get('index.txt')).toMatch(/^V\t\d+Z\t\t08\tunknown\t08\nV\t\d+Z\t\t09\tunknown\t09\n$/)
    expect(notes).toEqual([])
  })

  it('leaves out what a former key has signed, and says so', async () => {
    const former = await makeRoot()
    const theirs = [
      await signed('of the former key', '51', undefined, former),
      revoked(await signed('of the former key', '52', undefined, former), 'keyCompromise'),
    ]
    const lost: IssuedCertificate = {
      ...entries[0]!,
      spec: {
        ...entries[0]!.spec,
        serialNumber: '50',
        certificate: '',
        indexLine: 'V\t301221054427Z\t\t50\tunknown\t',
      },
    }
    const { files, notes, count } = made([...theirs, entries[0]!, lost])
    expect([...files.keys()].filter((path) => path.startsWith('newcerts/'))).toEqual(['newcerts/0A.pem'])
    expect([...(files.get('index.txt') ?? '').matchAll(/\t(..)\tunknown\t(.*)$/gm)].map(([, ...line]) => line)).toEqual(
      [
        // Whose certificate was lost, is nobody else's for that.
        ['50', '50'],
        ['0A', '/O=Acme/CN=plain'],
      ],
    )
    // Their numbers stay taken: the ledger knows one CA, whatever its key.
    expect(files.get('serial')).toBe('53\n')
    expect([count, notes]).toEqual([
      2,
      ['left out: 2 certificates of a former key of the CA, which openssl would take for the present one'],
    ])
  })

  it('keeps what the key has signed under another name or key identifier', async () => {
    const renamed = await makeRoot({ key: root.key, commonName: 'Former name' })
    const other = makeIdentified(renamed, Buffer.from('another identifier'))
    const { notes, count } = made([
      await signed('a', '61', undefined, other),
      await signed('b', '62', undefined, renamed),
    ])
    expect([count, notes]).toEqual([2, []])
  })

  it('counts serial numbers from 01, past those that are taken', async () => {
    expect(made([]).files.get('serial')).toBe('01\n')
    expect(made([await signed('a', '7F'.repeat(16))]).files.get('serial')).toBe('01\n')
    expect(made([await signed('a', 'FF')]).files.get('serial')).toBe('0100\n')
  })
})

describe("openssl's own folder", () => {
  const request = (name: string): string => {
    openssl(
      'req',
      '-new',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'k.pem',
      '-subj',
      `/O=Acme/CN=${name}`,
      '-out',
      'r.pem',
    )
    return 'r.pem'
  }

  it('taken over and exported again is the same, line for line', () => {
    write(made([], 1n))
    mkdirSync(join(folder, 'newcerts'))
    const kinds: readonly (readonly string[] | undefined)[] = [
      undefined,
      [],
      ['-crl_reason', 'unspecified'],
      ['-crl_reason', 'CACompromise'],
      ['-crl_reason', 'certificateHold'],
      ['-crl_reason', 'removeFromCRL'],
      ['-crl_hold', 'holdInstructionReject'],
      ['-crl_compromise', '20260101120000Z'],
      ['-crl_CA_compromise', '20260101120000Z'],
    ]
    for (const [at, options] of kinds.entries()) {
      // The text before the certificate is what openssl writes without -notext.
      ca('-in', request(`n${at}`), '-out', 'o.pem', ...(at === 1 ? ['-enddate', '20551231235959Z'] : []))
      if (options !== undefined) ca('-revoke', `newcerts/0${at + 1}.pem`, ...options)
    }
    ca('-in', request('past'), '-out', 'o.pem', '-startdate', '20200101000000Z', '-enddate', '20200202000000Z')
    ca('-updatedb')
    const again = made(takenOver(), 1n)
    expect(again.files.get('index.txt')).toBe(read('index.txt'))
    expect(again.files.get('serial')).toBe(read('serial'))
    expect(read('index.txt').split('\n')).toHaveLength(kinds.length + 2)
  }, 60_000)
})
