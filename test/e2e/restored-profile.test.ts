/** A profile before and after a restore, on an API server that merges items of a Secret by key: none is left behind, none is lost. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually, run } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import { authority, type Manifest } from './support/manifests.ts'
import { certificates, Rig } from './support/rig.ts'

const profiles = 'databasetlsprofiles'
const ns = 'e2e-restored-profile'
const bin = fileURLToPath(new URL('../../bin/dbtls', import.meta.url))

const profile = (java: boolean): Manifest => ({
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'DatabaseTLSProfile',
  metadata: { name: 'orders', namespace: ns },
  spec: {
    ...{ engine: 'MySQL', authorityRef: { name: 'ca' }, topology: { services: ['orders'] } },
    clients: [{ name: 'app', java }],
  },
})

/** What a person puts beside the items of the profile. */
const addition = {
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'DatabaseCertificate',
  metadata: { name: 'orders-app', namespace: ns, labels: { team: 'a' } },
  spec: { secret: { items: [{ key: 'mine.der', content: 'CertificateDER' }] } },
}

let rig: Rig
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-restored-profile-'))
  writeFileSync(join(folder, 'passphrase'), 'correct horse battery staple')
  rig = await Rig.start(sharedControlPlane(), { release: 'e2e-restored-operator' }, [ns])
  await rig.operator()
})
afterAll(async () => {
  await rig.stop()
  rmSync(folder, { recursive: true, force: true })
})

const dbtls = async (...args: readonly string[]): Promise<void> => {
  const env = { ...process.env, KUBECONFIG: rig.plane.adminKubeconfig }
  const { code, stderr } = await run(bin, [...args, '--passphrase-file', 'passphrase'], { cwd: folder, env })
  expect({ args, code, stderr }).toMatchObject({ code: 0 })
}
const keys = async (): Promise<readonly string[]> => Object.keys((await rig.secret(ns, 'orders-app-tls')).data ?? {})
const stores = ['keystore.p12', 'truststore.p12']

it('takes away what it asks for no longer, and leaves what a person added', { timeout: 400_000 }, async () => {
  await rig.apply(authority(ns, 'ca'), profile(true))
  await rig.ready(ns, profiles, 'orders')
  writeFileSync(join(folder, 'addition.json'), JSON.stringify(addition))
  const apply = ['apply', '--server-side', '--field-manager=somebody', '-f', join(folder, 'addition.json')]
  await rig.plane.kubectlOk(apply)
  await eventually('the added key', async () => (await keys()).includes('mine.der'))
  expect(await keys()).toEqual(expect.arrayContaining(stores))
  const { metadata: former } = await rig.ready(ns, certificates, 'orders-app')
  await rig.quiet()
  await dbtls('backup', '-n', ns, '--authority', 'ca', 'all.backup')

  for (const operator of rig.operators) await operator.stop()
  await rig.plane.kubectlOk(['delete', 'namespace', ns, '--timeout=120s'])
  await rig.operator()
  await dbtls('restore', 'all.backup', '--create-namespaces')
  await rig.apply(profile(true))
  await rig.ready(ns, profiles, 'orders')
  expect((await rig.ready(ns, certificates, 'orders-app')).metadata.uid).not.toBe(former.uid)
  expect(await keys()).toEqual(expect.arrayContaining([...stores, 'mine.der']))

  await rig.apply(profile(false))
  await eventually('the stores to go', async () => !(await keys()).some((key) => stores.includes(key)))
  expect(await keys()).toContain('mine.der')
  expect((await rig.ready(ns, certificates, 'orders-app')).metadata.labels).toMatchObject({ team: 'a' })
  await rig.ready(ns, profiles, 'orders')
  await rig.quiet()
})
