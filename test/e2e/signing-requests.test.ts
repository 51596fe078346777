import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, must, usedPermissions } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import { ledgerOf } from './support/ledger.ts'
import { authority, yamlOf } from './support/manifests.ts'
import { Page, typeOn } from './support/page.ts'
import { authorities, Rig } from './support/rig.ts'

const page = new Page('docs/signing-requests.md')
const [example = ''] = page.blocks('yaml')
/** Of the page's example. */
const home = 'data'

interface Request {
  readonly metadata: { readonly name: string; readonly resourceVersion: string }
  readonly status?: {
    readonly certificate?: string
    readonly conditions?: readonly { readonly type: string; readonly reason?: string; readonly message?: string }[]
  }
}

describe('the signer of certificates.k8s.io', () => {
  let rig: Rig
  const folder = mkdtempSync(join(tmpdir(), 'dbtls-csr-'))
  const made: string[] = []
  const csr = async (name: string, commonName = `${name}.data.svc`): Promise<string> => {
    await must('openssl', [
      ...[
        'req',
        '-new',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-subj',
        `/CN=${commonName}`,
      ],
      ...['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.csr`)],
    ])
    return readFileSync(join(folder, `${name}.csr`)).toString('base64')
  }
  const create = async (manifest: string, name: string): Promise<void> => {
    made.push(name)
    await rig.plane.kubectlOk(['create', '-f', '-'], manifest)
  }
  const request = async (name: string, spec: object = {}): Promise<void> =>
    create(
      yamlOf({
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name },
        spec: {
          signerName: `dbtls.dev/${home}.orders-ca`,
          request: await csr(name),
          usages: ['digital signature', 'key encipherment', 'server auth'],
          ...spec,
        },
      }),
      name,
    )
  const approve = (name: string) => rig.plane.kubectlOk(['certificate', 'approve', name])
  const get = (name: string) => rig.plane.getJson<Request>(['csr', name])
  const answered = (name: string): Promise<Request> =>
    eventually(`${name} to be answered`, async () => {
      const seen = await get(name)
      const { certificate, conditions = [] } = seen.status ?? {}
      return (certificate !== undefined || conditions.some(({ type }) => type === 'Failed')) && seen
    })
  const certificatesOf = ({ status }: Request): X509Certificate[] =>
    Buffer.from(status?.certificate ?? '', 'base64')
      .toString()
      .split(/(?<=-----END CERTIFICATE-----\n)/)
      .filter((block) => block !== '')
      .map((block) => new X509Certificate(block))

  beforeAll(async () => {
    const values = { signer: { enabled: true } }
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-signer-operator', values }, [home])
    await rig.operator({ args: ['--sign-requests'] })
    await rig.apply(
      authority(home, 'root', { maxPathLength: 1 }),
      authority(home, 'orders-ca', {
        source: { intermediate: { authorityRef: { name: 'root' } } },
        policy: { allowedDNSNames: ['*.data.svc'] },
      }),
    )
    await rig.ready(home, authorities, 'orders-ca')
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    await rig.plane.kubectl(['delete', 'csr', '--ignore-not-found', ...made])
    await rig.stop()
  })

  it('signs what was approved, as the page says, with the ledger before it', async () => {
    await create(example.replace('REQUEST', await csr('reports')), 'reports')
    await rig.quiet()
    expect((await get('reports')).status).toEqual({})
    for (const { command } of page.steps()) {
      const { code, stderr } = await typeOn(rig.plane, folder, command)
      expect(code, stderr).toBe(0)
      await answered('reports')
    }
    const [leaf, above] = certificatesOf(await answered('reports'))
    expect(new X509Certificate(readFileSync(join(folder, 'reports.crt'))).raw).toEqual(leaf?.raw)
    expect(leaf?.subject).toBe('CN=reports.data.svc')
    expect(leaf?.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
    expect(above?.subject).toBe('CN=orders-ca')
    expect(above !== undefined && leaf?.verify(above.publicKey)).toBe(true)
    expect(Date.parse(leaf?.validTo ?? '') - Date.now()).toBeLessThan(86_400_000)
    const entry = (await ledgerOf(rig.api, home)).find(({ spec }) => spec.serialNumber === leaf?.serialNumber)
    expect(entry?.spec).toMatchObject({
      authorityRef: { name: 'orders-ca' },
      request: expect.stringContaining('BEGIN CERTIFICATE REQUEST') as string,
    })
  })

  it('signs nothing that was denied, or is for another signer', async () => {
    await request('denied')
    await rig.plane.kubectlOk(['certificate', 'deny', 'denied'])
    await request('others', { signerName: 'example.com/somebody' })
    await approve('others')
    await rig.quiet()
    for (const name of ['denied', 'others']) expect((await get(name)).status?.certificate).toBeUndefined()
  })

  it.each([
    { name: 'policy', spec: {}, commonName: 'db.other.svc', reason: 'PolicyViolation', says: 'db.other.svc' },
    {
      name: 'usages',
      spec: { usages: ['server auth', 'cert sign'] },
      commonName: undefined,
      reason: 'RequestInvalid',
      says: '"cert sign"',
    },
  ])('says why it refuses: $name', async ({ name, spec, commonName, reason, says }) => {
    await request(name, { ...spec, ...(commonName === undefined ? {} : { request: await csr(name, commonName) }) })
    await approve(name)
    const { status } = await answered(name)
    expect(status?.certificate).toBeUndefined()
    const failed = status?.conditions?.find(({ type }) => type === 'Failed')
    expect(failed).toMatchObject({ reason })
    expect(failed?.message).toContain(says)
    expect(status?.conditions?.map(({ type }) => type)).toContain('Approved')
  })

  it('waits for its CA', async () => {
    await request('early', { signerName: `dbtls.dev/${home}.late.ca` })
    await approve('early')
    await rig.quiet()
    expect((await get('early')).status?.certificate).toBeUndefined()
    await rig.apply(authority(home, 'late.ca'))
    expect(certificatesOf(await answered('early'))).toHaveLength(1)
  })

  it('has used every right of its role, and answers once', async () => {
    const { resourceVersion } = (await get('reports')).metadata
    for (const operator of rig.operators) await operator.stop()
    const { user } = rig.chart
    const resource = 'certificates.k8s.io/certificatesigningrequests'
    await eventually('the watch to be in the audit log', async () =>
      usedPermissions(rig.plane.auditLog(), { user }).has(`watch ${resource}`),
    )
    const used = [...usedPermissions(rig.plane.auditLog(), { user })].filter((one) => one.includes(resource))
    expect(new Set([...used, `list ${resource}`])).toEqual(
      new Set([`list ${resource}`, `watch ${resource}`, `update ${resource}/status`]),
    )
    expect((await get('reports')).metadata.resourceVersion).toBe(resourceVersion)
    expect(rig.forbidden()).toEqual([])
  })
})
