/**
 * docs/migrate-cert-manager.md, typed on a real API server: objects of cert-manager's kinds (CRDs that keep every field; nobody acts
 * on them) and its Secrets are read, migrated and taken over, and the Secret holds what it held.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { certManagerData, certManagerMarks } from '../../src/pki/cert-manager.fixture.ts'
import { parseCertificate } from '../../src/pki/certificates/parse.ts'
import { certificatesOf, encodePem } from '../../src/pki/encoding/pem.ts'
import { makeRoot } from '../../src/pki/testing.ts'
import {
  ControlPlane,
  eventually,
  installChart,
  type Operator,
  run,
  startOperator,
} from '../controlplane/harness/index.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(join(repository, 'docs/migrate-cert-manager.md'), 'utf8')

interface Step {
  readonly command: string
  /** Lines that the page shows; others may be printed between them. */
  readonly shows: readonly string[]
}

const steps: readonly Step[] = [...page.matchAll(/```console\n([^]*?)```/g)].flatMap(([, block = '']) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...shows] = part.trimEnd().split('\n')
      return { command, shows }
    }),
)
const [, given = ''] = /```yaml\n([^]*?)```/.exec(page) ?? []

const crd = (kind: string, plural: string, scope: string): object => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.cert-manager.io` },
  spec: {
    group: 'cert-manager.io',
    scope,
    names: { kind, plural, singular: kind.toLowerCase() },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
})

const secretOf = (name: string, stringData: object, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'data', ...metadata },
  type: 'kubernetes.io/tls',
  stringData,
})

let plane: ControlPlane
let operator: Operator | undefined
let folder: string
let serial: string
let key: string

const kubectl = (...args: string[]) => plane.kubectlOk(args)
const apply = (...objects: object[]) =>
  plane.kubectlOk(
    ['apply', '--server-side', '--field-manager=cert-manager-certificates-issuing', '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
  )

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-migrate-'))
  plane = await ControlPlane.start()
  const chart = await installChart(plane, { release: 'migrate' })
  operator = await startOperator(plane, chart)
  await operator.ready()
  await apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'data' } },
    crd('Certificate', 'certificates', 'Namespaced'),
    crd('Issuer', 'issuers', 'Namespaced'),
    crd('ClusterIssuer', 'clusterissuers', 'Cluster'),
  )
  await kubectl(
    'wait',
    '--for=condition=Established',
    '--timeout=60s',
    ...['certificates', 'issuers', 'clusterissuers'].map((one) => `crd/${one}.cert-manager.io`),
  )
  await eventually('the kinds to be served', async () => {
    const { code } = await plane.kubectl(['apply', '-f', '-'], given)
    return code === 0
  })
  const now = Date.now()
  const root = await makeRoot({ commonName: 'Data CA', now: now - 2 * 86_400_000 })
  const data = await certManagerData(root, {
    algorithm: { algorithm: 'ECDSA', size: 256 },
    commonName: 'orders',
    organizations: ['Acme'],
    names: [{ type: 'DNS', value: 'orders.data.svc' }],
    extendedKeyUsage: ['serverAuth'],
    now: now - 86_400_000,
  })
  key = data['tls.key']
  const [leaf] = certificatesOf(data['tls.crt'])
  serial = parseCertificate(leaf ?? new Uint8Array()).serialNumber
  const uid = await kubectl('-n', 'data', 'get', 'certificate', 'orders', '-o', 'jsonpath={.metadata.uid}')
  // As with --enable-certificate-owner-ref, which is the worse case.
  const owner = {
    apiVersion: 'cert-manager.io/v1',
    kind: 'Certificate',
    name: 'orders',
    uid,
    controller: true,
    blockOwnerDeletion: true,
  }
  await apply(
    secretOf('data-ca-key-pair', {
      'tls.crt': encodePem('CERTIFICATE', root.certificate),
      'tls.key': encodePem('PRIVATE KEY', root.key.pkcs8),
    }),
    secretOf('orders-tls', data, { ...certManagerMarks('orders', 'data-ca'), ownerReferences: [owner] }),
  )
})
afterAll(async () => {
  await operator?.stop()
  await plane?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** What differs from run to run. */
const normalised = (line: string): string =>
  line
    .replace(/\b[0-9A-F]{32}\b/g, 'SERIAL')
    .replace(/ {2,}/g, '  ')
    .trimEnd()

const type = (command: string) =>
  run('sh', ['-ec', command], {
    cwd: folder,
    env: {
      ...process.env,
      PATH: `${join(repository, 'bin')}:${plane.info.binaries}:${process.env['PATH']}`,
      KUBECONFIG: plane.adminKubeconfig,
    },
  })

describe('From cert-manager', () => {
  it('has steps', () => expect(steps.length).toBeGreaterThan(8))

  it.each(steps)('$command', async ({ command, shows }) => {
    const { code, stdout, stderr } = await type(command)
    expect(code, `${command}\n${stdout}${stderr}`).toBe(0)
    const printed = `${stdout}\n${stderr}`.split('\n').map(normalised)
    for (const line of shows) expect(printed, command).toContain(normalised(line))
  })

  it('leaves the Secret with its key, its certificate and nobody who takes it along', async () => {
    const stdout = await kubectl('-n', 'data', 'get', 'secret', 'orders-tls', '-o', 'json')
    const secret = JSON.parse(stdout) as {
      readonly metadata: { readonly annotations: Record<string, string>; readonly ownerReferences?: readonly unknown[] }
      readonly data: Record<string, string>
    }
    expect(Buffer.from(secret.data['tls.key'] ?? '', 'base64').toString()).toBe(key)
    expect(secret.metadata.ownerReferences ?? []).toEqual([])
    expect(secret.metadata.annotations['dbtls.dev/taken-over']).toBe(serial)
    const status = await kubectl('-n', 'data', 'get', 'dbcert', 'orders', '-o', 'jsonpath={.status.serialNumber}')
    expect(status).toBe(serial)
  })

  it('reads manifests from a pipe as well', async () => {
    cpSync(join(repository, 'examples'), join(folder, 'examples'), { recursive: true })
    const { code, stdout } = await type('cat examples/cert-manager/orders.yaml | dbtls migrate cert-manager -f -')
    expect([code, stdout]).toEqual([0, expect.stringContaining('kind: DatabaseCertificate')])
  })
})
