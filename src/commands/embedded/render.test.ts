import { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { EmbeddedCluster } from '../../cluster/embedded/cluster.ts'
import { decodePem } from '../../pki/encoding/pem.ts'
import { parseRevocationList } from '../../pki/revocation/revocation-list.ts'
import { issuedCertificates, type IssuedCertificate } from '../../resources/issued-certificate.ts'
import { systemClock } from '../../runtime/clock.ts'
import { embeddedKinds } from '../shared/embedded-kinds.ts'
import { main } from './render.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-render-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const manifests = (dnsName = 'orders.data.svc'): string => `apiVersion: dbtls.dev/v1alpha1
kind: CertificateAuthority
metadata: {name: ca, namespace: data}
spec: {source: {selfSigned: {}}, subject: {commonName: CA}}
---
apiVersion: dbtls.dev/v1alpha1
kind: DatabaseCertificate
metadata: {name: orders, namespace: data}
spec:
  authorityRef: {name: ca}
  dnsNames: [${dnsName}]
  secret: {name: orders-tls}
`

const render = async (text: string, ...flags: string[]) => {
  writeFileSync(join(folder, 'm.yaml'), text)
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  const io = { stdout, stderr, env: {} } as unknown as Parameters<typeof main>[1]
  const code = await main(['-f', join(folder, 'm.yaml'), '--out', join(folder, 'out'), ...flags], io)
  return { code, out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') }
}
const read = (path: string): Buffer => readFileSync(join(folder, 'out', path))
const leaf = (): X509Certificate => new X509Certificate(read('data/secret/orders-tls/tls.crt'))
const state = (): string[] => ['--state', join(folder, 'state')]

describe('dbtls render', () => {
  it('makes what the manifests ask for, so that OpenSSL accepts it', async () => {
    const { code, out, err } = await render(manifests(), ...state())
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('1 certificate issued (verified: chain, key)')
    expect(leaf().subjectAltName).toBe('DNS:orders.data.svc')
    const authority = new X509Certificate(read('data/secret/orders-tls/ca.crt'))
    expect(leaf().checkIssued(authority) && leaf().verify(authority.publicKey)).toBe(true)
    expect(statSync(join(folder, 'out/data/secret/orders-tls/tls.key')).mode & 0o777).toBe(0o600)
  })
  it('with a state, issues nothing the second time, and again where a manifest changed', async () => {
    await render(manifests(), ...state())
    const first = leaf().serialNumber
    expect((await render(manifests(), ...state())).out).toContain('0 certificates issued')
    expect(leaf().serialNumber).toBe(first)
    await render(manifests('other.data.svc'), ...state())
    expect(leaf().subjectAltName).toBe('DNS:other.data.svc')
  })
  it('keeps the keys of CAs to itself unless asked', async () => {
    await render(manifests(), ...state())
    expect(readdirSync(join(folder, 'out/data/secret/ca-ca')).toSorted()).toEqual(['ca.crt', 'tls.crt'])
    await render(manifests(), ...state(), '--include-authority-keys')
    expect(readdirSync(join(folder, 'out/data/secret/ca-ca')).toSorted()).toEqual(['ca.crt', 'tls.crt', 'tls.key'])
  })
  it('writes manifests with --format yaml', async () => {
    await render(manifests(), '--format', 'yaml')
    const secret = parse(String(read('data/secret/orders-tls.yaml'))) as Record<string, unknown>
    expect(secret).toMatchObject({ kind: 'Secret', type: 'kubernetes.io/tls', metadata: { name: 'orders-tls' } })
    expect(secret['metadata']).not.toHaveProperty('uid')
  })
  it('removes what is no longer named only when asked', async () => {
    await render(manifests(), ...state())
    const [authorityAlone = ''] = manifests().split('---')
    await render(authorityAlone, ...state())
    expect(existsSync(join(folder, 'out/data/secret/orders-tls'))).toBe(true)
    await render(authorityAlone, ...state(), '--prune')
    expect(existsSync(join(folder, 'out/data/secret/orders-tls'))).toBe(false)
  })
  it('makes nothing when a manifest is wrong, and says where', async () => {
    const { code, err } = await render(manifests('"not ok"'))
    expect(code).toBe(1)
    expect(err).toMatch(/^refused +\S+m\.yaml:11: spec\.dnsNames\[0\]: /)
    expect(existsSync(join(folder, 'out'))).toBe(false)
  })
  it('ends with the reason of what cannot become Ready', async () => {
    const { code, err } = await render(manifests().split('---')[1] ?? '')
    expect(code).toBe(1)
    expect(err).toMatch(/DatabaseCertificate data\/orders: AuthorityNotFound: /)
  })
  it.each([
    ['an unknown flag', ['--nonsense']],
    ['an unknown format', ['--format', 'xml']],
    ['a time-out that is no number', ['--timeout', 'soon']],
    ['--prune without a state', ['--prune']],
    ['a namespace that cannot be one', ['--namespaces', 'Data']],
    ['an empty namespace', ['--namespaces', 'data,,other']],
  ])('calls %s wrong usage', async (_, flags) => {
    expect((await render(manifests(), ...flags)).code).toBe(2)
  })
  it.each<[string, string[], RegExp]>([
    ['a file in the place of --out', ['--out', 'm.yaml'], /^dbtls render: cannot write to \S+m\.yaml: [^\n]+\n$/],
    ['--out below a file', ['--out', 'm.yaml/x'], /^dbtls render: cannot write to \S+m\.yaml\/x: [^\n]+\n$/],
    ['a file in the place of --state', ['--state', 'm.yaml'], /^dbtls render: the state cannot be kept in \S+m\.yaml /],
    ['a state that is no database', ['--state', 'damaged'], /damaged\/state\.sqlite is damaged \([^\n]+move it away/],
  ])('says in one sentence what is wrong with %s', async (_, [flag = '', path = ''], sentence) => {
    mkdirSync(join(folder, 'damaged'))
    writeFileSync(join(folder, 'damaged/state.sqlite'), 'no database'.repeat(1000))
    const { code, err } = await render(manifests(), flag, join(folder, path))
    expect(code).toBe(1)
    expect(err).toMatch(sentence)
  })
  it('finds a state damaged in the middle before it works with it', async () => {
    await render(manifests(), ...state())
    const path = join(folder, 'state/state.sqlite')
    writeFileSync(path, readFileSync(path).fill(0xa5, 8192, 12_288))
    const { code, err } = await render(manifests(), ...state())
    expect(code).toBe(1)
    expect(err).toMatch(/state\.sqlite is damaged \(/)
  })
  it('does not take an empty set for one that is done', async () => {
    const { code, err } = await render('# nothing\n')
    expect(code).toBe(1)
    expect(err).toMatch(/no manifests in/)
  })
})

describe('the ledger of a state that only render works on', () => {
  const minute = 60_000
  const authority = (more = ''): string => `apiVersion: dbtls.dev/v1alpha1
kind: CertificateAuthority
metadata: {name: ca, namespace: data}
spec:
  source: {selfSigned: {}}
  subject: {commonName: CA}
  crl: {onDelete: Revoke, onSupersede: Revoke}
${more}`
  const certificate = (name: string, more = ''): string => `---
apiVersion: dbtls.dev/v1alpha1
kind: DatabaseCertificate
metadata: {name: ${name}, namespace: data}
spec: {authorityRef: {name: ca}, dnsNames: [${name}.svc], secret: {name: ${name}-tls}${more}}
`
  const serialOf = (name: string): string => new X509Certificate(read(`data/secret/${name}-tls/tls.crt`)).serialNumber
  /** Serial number and reason (RFC 5280 §5.3.1) of all that the list names. */
  const listed = (): [string, string | undefined][] => {
    const [block] = decodePem(String(read('data/configmap/ca-crl/ca.crl')))
    return parseRevocationList(block?.der ?? new Uint8Array()).revoked.map((one) => [one.serialNumber, one.reason])
  }
  const entries = async (): Promise<readonly IssuedCertificate[]> => {
    const cluster = new EmbeddedCluster({
      directory: join(folder, 'state'),
      kinds: embeddedKinds(),
      clock: systemClock(),
    })
    try {
      return (await cluster.list(issuedCertificates)).items
    } finally {
      cluster.close()
    }
  }
  const stateOf = async (serialNumber: string): Promise<string | undefined> =>
    (await entries()).find(({ spec }) => spec.serialNumber === serialNumber)?.status?.state
  afterEach(() => vi.useRealTimers())

  it('revokes what a certificate held whose manifest was taken away', async () => {
    await render(authority() + certificate('one') + certificate('two'), ...state())
    const [one, two] = [serialOf('one'), serialOf('two')]
    expect(listed()).toEqual([])
    await render(authority() + certificate('two'), ...state(), '--prune')
    expect(listed()).toEqual([[one, 'cessationOfOperation']])
    expect([await stateOf(one), (await stateOf(two)) ?? 'Valid']).toEqual(['Revoked', 'Valid'])
  })

  it('marks what was replaced at once, and revokes it when its successor has had its time', async () => {
    await render(authority() + certificate('one'), ...state())
    const before = serialOf('one')
    const renewed = authority() + certificate('one', ', renewTrigger: again')
    await render(renewed, ...state())
    expect(serialOf('one')).not.toBe(before)
    expect([await stateOf(before), listed()]).toEqual(['Superseded', []])
    vi.useFakeTimers({ toFake: ['Date'], now: systemClock().now() + 11 * minute })
    await render(renewed, ...state())
    expect([await stateOf(before), listed()]).toEqual(['Revoked', [[before, 'superseded']]])
  })

  it('revokes by a manifest of the revocation alone, and keeps the entry when that manifest goes', async () => {
    const wanted = authority() + certificate('one')
    await render(wanted, ...state())
    const serial = serialOf('one')
    const revoking = (reason: string): string => `---
apiVersion: dbtls.dev/v1alpha1
kind: IssuedCertificate
metadata: {name: ca-${serial.toLowerCase()}, namespace: data}
spec: {revocation: {reason: ${reason}}}
`
    const held = await render(wanted + revoking('certificateHold'), ...state())
    expect([held.code, held.err]).toEqual([1, expect.stringContaining('data/one: OnHold: ')])
    expect(listed()).toEqual([[serial, 'certificateHold']])
    const { code, out } = await render(wanted, ...state(), '--prune')
    expect([code, out]).toEqual([0, expect.stringMatching(/^note +kept IssuedCertificate data\/ca-/m)])
    expect(listed()).toEqual([])
    expect(serialOf('one')).toBe(serial)
    expect(await render(wanted + revoking('keyCompromise'), ...state())).toMatchObject({ code: 0, err: '' })
    expect([listed(), serialOf('one') === serial]).toEqual([[[serial, 'keyCompromise']], false])
  })

  it('says that a list cannot be made, though its CA is Ready', async () => {
    const inTheWay = '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ca-crl, namespace: data}\ndata: {a: b}\n'
    const { code, err } = await render(authority() + certificate('one') + inTheWay, ...state())
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/^warning {4}CertificateAuthority data\/ca: ConfigMapInTheWay: ConfigMap "ca-crl"/m),
    ])
    expect(err).not.toContain('not ready')
  })

  it('deletes what was kept for long enough', async () => {
    const wanted = authority('  ledger: {keepExpiredFor: 10s}\n') + certificate('one', ', duration: 1h')
    await render(wanted, ...state())
    const before = serialOf('one')
    vi.useFakeTimers({ toFake: ['Date'], now: systemClock().now() + 90 * minute })
    await render(wanted, ...state())
    expect((await entries()).map(({ spec }) => spec.serialNumber)).not.toContain(before)
  })
})
