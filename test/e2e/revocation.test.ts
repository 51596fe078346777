/** docs/revocation.md, typed on a real API server, and what openssl says of the lists. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, run } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { CustomThing, Thing } from './support/api.ts'
import { authority } from './support/manifests.ts'
import { authorities, certificates, Rig } from './support/rig.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(join(repository, 'docs/revocation.md'), 'utf8')
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, text = '']) => text)
const commands = blocks('console').flatMap((block) =>
  block
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\$ /, '')),
)

const home = 'data'

interface MapThing extends Thing {
  readonly data?: Readonly<Record<string, string>>
}
interface Entry extends Thing {
  readonly spec: { readonly serialNumber: string; readonly revocation?: { readonly reason: string } }
  readonly status?: { readonly state?: string }
}

describe('docs/revocation.md', () => {
  let rig: Rig
  let folder: string

  const typed = (command: string) =>
    run('sh', ['-c', command], {
      cwd: folder,
      env: {
        ...process.env,
        KUBECONFIG: rig.plane.adminKubeconfig,
        PATH: `${rig.plane.info.binaries}:${process.env['PATH']}`,
      },
    })
  const entries = (): Promise<readonly Entry[]> => rig.api.list<Entry>('issuedcertificates', home)
  const numberOf = async (): Promise<number> =>
    ((await rig.api.get<CustomThing>(authorities, home, 'orders-ca')).status as { crl?: { number?: number } }).crl
      ?.number ?? 0

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dbtls-revocation-'))
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-revocation' }, [home])
    await rig.operator()
    for (const manifest of blocks('yaml')) await rig.plane.apply(manifest)
  })
  afterAll(async () => {
    await rig.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  it.each(commands)('$ %s', { timeout: 200_000 }, async (command) => {
    const before = command.startsWith('kubectl -n data patch') ? await numberOf() : undefined
    const { code, stdout, stderr } = await typed(command)
    if (command.startsWith('openssl verify')) {
      expect(`${stdout}${stderr}`).toContain('certificate revoked')
      return
    }
    expect(code, stderr).toBe(0)
    if (command.includes('openssl crl'))
      expect(stdout).toMatch(/Version 2[\s\S]*X509v3 CRL Number[\s\S]*No Revoked Certificates/)
    if (before !== undefined)
      await eventually('a list of a larger number', async () => (await numberOf()) > before, { timeoutMs: 90_000 })
  })

  it('can be lived without a cluster', { timeout: 200_000 }, async () => {
    const [script, ...others] = blocks('sh')
    expect([others, blocks('yaml').length]).toEqual([[], 1])
    const offline = mkdtempSync(join(folder, 'offline-'))
    writeFileSync(join(offline, 'orders.yaml'), blocks('yaml').join('---\n'))
    const path = `${join(repository, 'bin')}:${process.env['PATH']}`
    const { code, stdout, stderr } = await run('sh', ['-ec', script ?? ''], {
      cwd: offline,
      env: { ...process.env, PATH: path },
    })
    expect(code, stderr).toBe(0)
    const { stdout: serial } = await run(
      'openssl',
      ['x509', '-in', 'out/data/secret/orders-app-tls/tls.crt', '-serial'],
      {
        cwd: offline,
      },
    )
    const [, listed] = /Serial Number: ([0-9A-F]+)\n[^]*Key Compromise/.exec(stdout) ?? []
    expect(listed).toMatch(/^[0-9A-F]{32}$/)
    // It was in use, so it was replaced.
    expect(serial).not.toContain(listed)
  })

  it('leaves every entry marked as it is, and a list that openssl believes', async () => {
    const revoked = await eventually('the marks', async () => {
      const found = (await entries()).filter(({ spec }) => spec.revocation !== undefined)
      return found.length === 2 && found.every(({ status }) => status?.state === 'Revoked') && found
    })
    expect(revoked.map(({ spec }) => spec.revocation?.reason ?? 'none').toSorted()).toEqual([
      'cessationOfOperation',
      'keyCompromise',
    ])
    expect(revoked.map(({ metadata }) => metadata.labels?.['dbtls.dev/state'])).toEqual(['Revoked', 'Revoked'])
    const { stdout, stderr, code } = await typed(
      "kubectl -n data get configmap orders-ca-crl -o jsonpath='{.data.ca\\.crl}' | openssl crl -CAfile ca.crt -noout -text",
    )
    expect(code, stderr).toBe(0)
    expect(`${stdout}${stderr}`).toContain('verify OK')
    for (const { spec } of revoked) expect(stdout).toContain(`Serial Number: ${spec.serialNumber}`)
  })

  it('refuses to take back what is final', async () => {
    const [entry] = (await entries()).filter(({ spec }) => spec.revocation?.reason === 'keyCompromise')
    await expect(
      rig.api.edit('issuedcertificates', home, entry?.metadata.name ?? '', [
        { op: 'remove', path: '/spec/revocation' },
      ]),
    ).rejects.toThrow(/a revocation is final/)
  })

  it('puts a changed list right, and writes nothing at rest', async () => {
    const before = await numberOf()
    await rig.api.patch('configmaps', home, 'orders-ca-crl', { data: { 'ca.crl': 'nothing' } })
    // The number is told before the list is written, so that it can never go back: look for the list first.
    await eventually('the repair', async () => {
      const map = await rig.api.get<MapThing>('configmaps', home, 'orders-ca-crl')
      return map.data?.['ca.crl']?.startsWith('-----BEGIN X509 CRL-----') === true
    })
    await rig.quiet(5000)
    expect(await numberOf()).toBeGreaterThan(before)
    const since = Date.now()
    await new Promise((resolve) => setTimeout(resolve, 5000))
    expect(rig.writes(since)).toEqual([])
  })

  it('stops an intermediate whose certificate is revoked', async () => {
    await rig.apply(authority(home, 'below', { source: { intermediate: { authorityRef: { name: 'orders-ca' } } } }))
    const { status } = await rig.ready(home, authorities, 'below')
    const serial = status?.certificate?.serialNumber
    const [entry] = (await entries()).filter(({ spec }) => spec.serialNumber === serial)
    await rig.api.patch('issuedcertificates', home, entry?.metadata.name ?? '', {
      spec: { revocation: { reason: 'cACompromise' } },
    })
    expect((await rig.refused(home, authorities, 'below', 'Revoked')).message).toContain(serial)
  })

  it('is not troubled by a namespace that goes with its CA, certificates and ledger', async () => {
    const gone = 'e2e-revocation-gone'
    await rig.plane.kubectlOk(['create', 'namespace', gone])
    await rig.apply(authority(gone, 'ca', { crl: { onDelete: 'Revoke' } }), {
      apiVersion: 'dbtls.dev/v1alpha1',
      kind: 'DatabaseCertificate',
      metadata: { name: 'one', namespace: gone },
      spec: { authorityRef: { name: 'ca' }, dnsNames: ['one.example'], secret: { name: 'one' } },
    })
    await rig.ready(gone, certificates, 'one')
    await rig.plane.kubectlOk(['delete', 'namespace', gone, '--timeout=60s'])
    await rig.quiet()
    expect(rig.operators.every(({ running }) => running)).toBe(true)
  })
})
