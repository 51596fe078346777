/**
 * docs/migrate-cert-manager.md, typed beside cert-manager itself, which owns its Secrets (--enable-certificate-owner-ref, the worse
 * case): they are read, migrated, taken over and handed back, and hold what they held.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodePem } from '../../src/pki/encoding/pem.ts'
import { makeRoot } from '../../src/pki/testing.ts'
import { type ControlPlane, run } from '../controlplane/harness/index.ts'
import { type Beside, startBeside } from './cert-manager/index.ts'
import type { SecretThing } from './support/api.ts'
import { Page } from './support/page.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const page = new Page('docs/migrate-cert-manager.md')
const steps = page.steps()
const [given = ''] = page.blocks('yaml')

let plane: ControlPlane
let beside: Beside | undefined
let folder: string
let issued: SecretThing

const kubectl = (...args: string[]) => plane.kubectlOk(args)
const secretOf = (name: string) => plane.getJson<SecretThing>(['-n', 'data', 'secret', name])

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-migrate-'))
  beside = await startBeside({ ownerRef: true })
  plane = beside.plane
  await kubectl('create', 'namespace', 'data')
  const root = await makeRoot({ commonName: 'Data CA', now: Date.now() - 86_400_000 })
  const stringData = {
    'tls.crt': encodePem('CERTIFICATE', root.certificate),
    'tls.key': encodePem('PRIVATE KEY', root.key.pkcs8),
  }
  const metadata = { name: 'data-ca-key-pair', namespace: 'data' }
  await plane.apply(
    JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/tls', stringData }),
  )
  writeFileSync(join(folder, 'cert-manager.yaml'), given)
  await plane.apply(given)
  await kubectl('-n', 'data', 'wait', 'certificate/orders', '--for=condition=Ready', '--timeout=120s')
  issued = await secretOf('orders-tls')
  expect(issued.metadata.ownerReferences).toHaveLength(1)
})
afterAll(async () => {
  await beside?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** What differs from run to run. cert-manager's serial numbers have up to 40 digits. */
const normalised = (line: string): string =>
  line
    .replace(/\b[0-9A-F]{30,40}\b/g, 'SERIAL')
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

  it('hands the Secret back as it was, to the Certificate of that name', async () => {
    const secret = await secretOf('orders-tls')
    expect(secret.data).toEqual(issued.data)
    const [owner] = secret.metadata.ownerReferences ?? []
    expect(owner?.uid).toBe(
      await kubectl('-n', 'data', 'get', 'certificate', 'orders', '-o', 'jsonpath={.metadata.uid}'),
    )
    expect(owner?.uid).not.toBe(issued.metadata.ownerReferences?.[0]?.uid)
  })

  it('reads manifests from a pipe as well', async () => {
    cpSync(join(repository, 'examples'), join(folder, 'examples'), { recursive: true })
    const { code, stdout } = await type('cat examples/cert-manager/orders.yaml | dbtls migrate cert-manager -f -')
    expect([code, stdout]).toEqual([0, expect.stringContaining('kind: DatabaseCertificate')])
  })
})
