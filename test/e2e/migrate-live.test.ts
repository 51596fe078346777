/**
 * A cluster of cert-manager's own making taken over: it issues, `dbtls migrate cert-manager` reads, the steps that it prints are
 * typed as they are printed, and cert-manager runs all the while.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ControlPlane, eventually, run } from '../controlplane/harness/index.ts'
import { type Beside, startBeside } from './cert-manager/index.ts'
import { bytesOf, type SecretThing, textOf } from './support/api.ts'
import { certificatesIn, leafOf, problemsOf, serialOf } from './support/material.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const objects = readFileSync(new URL('cert-manager/objects.yaml', import.meta.url), 'utf8')
const names = ['plain', 'server', 'client', 'kept'] as const

let plane: ControlPlane
let beside: Beside | undefined
let folder: string
/** As cert-manager left them. */
const before = new Map<string, SecretThing>()

const kubectl = (...args: string[]) => plane.kubectlOk(args)
const secretOf = (name: string, namespace = 'shop') => plane.getJson<SecretThing>(['-n', namespace, 'secret', name])
const type = (command: string) =>
  run('sh', ['-c', command], {
    cwd: folder,
    env: {
      ...process.env,
      PATH: `${join(repository, 'bin')}:${plane.info.binaries}:${process.env['PATH']}`,
      KUBECONFIG: plane.adminKubeconfig,
    },
  })
const typed = async (command: string): Promise<string> => {
  const { code, stdout, stderr } = await type(command)
  expect(code, `${command}\n${stdout}${stderr}`).toBe(0)
  return stdout
}
const all = (kind: string) => names.map((name) => `${kind}/${name}`)

/** What cert-manager has written since the audit log had `from` lines, but for the conditions of its issuers. */
const writesOfCertManager = (from: number): string[] =>
  plane
    .auditLog()
    .slice(from)
    .filter(({ userAgent = '' }) => userAgent.startsWith('cert-manager'))
    .filter(({ verb, objectRef }) => !['get', 'list', 'watch'].includes(verb) && objectRef?.resource !== 'events')
    .map(({ verb, objectRef }) => `${verb} ${objectRef?.resource} ${objectRef?.namespace}/${objectRef?.name}`)

beforeAll(async () => {
  beside = await startBeside({ ownerRef: false })
  plane = beside.plane
  folder = plane.tempDir('migrate')
  for (const namespace of ['shop', 'cert-manager']) await kubectl('create', 'namespace', namespace)
  await plane.apply(objects)
  const made = ['certificate/shop-ca', ...all('certificate')]
  await kubectl('-n', 'shop', 'wait', ...made, '--for=condition=Ready', '--timeout=120s')
  for (const name of names) before.set(name, await secretOf(`${name}-tls`))
})
afterAll(async () => {
  await beside?.[Symbol.asyncDispose]()
})

describe('what cert-manager has issued', () => {
  let steps: readonly string[] = []
  let since = 0

  it('is found, and each certificate would be kept', async () => {
    const { code, stderr } = await type('dbtls migrate cert-manager -A --out manifests')
    const lines = stderr.split('\n')
    for (const name of names) {
      const { serialNumber } = leafOf(before.get(name) as SecretThing)
      expect(lines).toContainEqual(
        expect.stringMatching(`^keeps +Certificate shop/${name} → .*: certificate ${serialNumber} `),
      )
    }
    expect(lines.filter((line) => line.startsWith('left')).toSorted()).toEqual([
      expect.stringMatching(/^left +ClusterIssuer bootstrap: spec\.selfSigned: /),
      expect.stringMatching(/^left +Issuer shop\/bootstrap: spec\.selfSigned: /),
    ])
    expect(code).toBe(1)
    steps = lines.filter((line) => line.startsWith('     ')).map((line) => line.trim())
  })

  it('is taken over by the steps that are printed, byte for byte', async () => {
    expect(steps).toHaveLength(10)
    const applied = steps.findIndex((line) => line.startsWith('kubectl apply'))
    for (const step of steps.slice(0, applied)) await typed(step)
    expect(await kubectl('get', 'certificates,certificaterequests', '-A', '-o', 'name')).toBe('')
    since = plane.auditLog().length
    for (const step of steps.slice(applied, applied + 1)) await typed(step)
    await kubectl('-n', 'shop', 'wait', ...all('dbcert'), '--for=condition=Ready', '--timeout=120s')
    for (const step of steps.slice(applied + 1)) await typed(step)
    for (const name of names) {
      const [was, is] = [before.get(name) as SecretThing, await secretOf(`${name}-tls`)]
      for (const key of ['tls.crt', 'tls.key', 'ca.crt', 'key.der'])
        expect(bytesOf(is, key).equals(bytesOf(was, key)), `${key} of ${name}`).toBe(true)
      // cert-manager leaves a line empty between key and certificate.
      const combined = [was, is].map((one) => textOf(one, 'tls-combined.pem').replace('\n\n', '\n'))
      expect(combined[0] === combined[1], `tls-combined.pem of ${name}`).toBe(true)
      expect(Object.keys(is.data ?? {}).toSorted()).toEqual(Object.keys(was.data ?? {}).toSorted())
      expect(is.metadata.uid).toBe(was.metadata.uid)
      expect(is.metadata.labels).toMatchObject(was.metadata.labels ?? {})
      expect(is.metadata.annotations).toMatchObject({
        ...was.metadata.annotations,
        'dbtls.dev/taken-over': serialOf(was),
      })
    }
    const ledgers = await Promise.all([
      typed('dbtls ledger list --authority shop -n shop'),
      typed('dbtls ledger list --authority corp -n cert-manager'),
    ])
    for (const name of names) expect(ledgers.join('')).toContain(serialOf(before.get(name) as SecretThing))
  })

  it('has keystores of the same certificate, under the same password', async () => {
    expect(await problemsOf(await secretOf('plain-tls'), 'changeit', Date.now())).toEqual([])
  })

  it('is renewed by dbtls with the CA in the Secret of cert-manager', async () => {
    const authorities = new Map<string, X509Certificate>()
    for (const [name, where] of [
      ['shop', 'shop/shop-ca'],
      ['corp', 'cert-manager/corp-ca-key-pair'],
    ] as const) {
      const [namespace, secret = ''] = where.split('/')
      const [root] = certificatesIn(textOf(await secretOf(secret, namespace), 'tls.crt'))
      if (root !== undefined) authorities.set(name, root)
    }
    await typed(`dbtls renew ${names.join(' ')} -n shop`)
    for (const name of names) {
      const was = before.get(name) as SecretThing
      const is = await eventually(`another certificate of ${name}`, async () => {
        const secret = await secretOf(`${name}-tls`)
        return serialOf(secret) !== serialOf(was) && secret
      })
      const root = authorities.get(name === 'plain' || name === 'kept' ? 'shop' : 'corp') as X509Certificate
      expect(leafOf(is).checkIssued(root) && leafOf(is).verify(root.publicKey), name).toBe(true)
      // rotationPolicy: Never
      expect(bytesOf(is, 'tls.key').equals(bytesOf(was, 'tls.key')), name).toBe(['client', 'kept'].includes(name))
      expect(is.metadata.annotations).not.toHaveProperty(['dbtls.dev/taken-over'])
    }
  })

  it('is left alone by cert-manager from then on', () => {
    expect(writesOfCertManager(since)).toEqual([])
    expect(beside?.certManager.running).toBe(true)
  })
})
