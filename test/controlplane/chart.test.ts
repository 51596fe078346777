import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ControlPlane, ensureNamespace, installChart } from './harness/index.ts'

const bundle = fileURLToPath(new URL('../../deploy/dbtls.yaml', import.meta.url))
const chartFolder = fileURLToPath(new URL('../../charts/dbtls/', import.meta.url))
const plurals = ['certificateauthorities', 'databasecertificates', 'databasetlsprofiles', 'issuedcertificates']
const crds = plurals.map((plural) => `${plural}.dbtls.dev`)

describe('the chart and the bundle, on an API server that has seen neither', () => {
  let plane: ControlPlane
  beforeAll(async () => {
    plane = await ControlPlane.start({ crds: false, controllerManager: false })
  })
  afterAll(() => plane.stop())

  it('has a bundle that the API server accepts, object by object', async () => {
    expect(existsSync(bundle)).toBe(true)
    await ensureNamespace(plane, 'dbtls')
    const applied = await plane.kubectl(['apply', '--server-side', '--dry-run=server', '-f', bundle])
    expect(applied).toMatchObject({ code: 0, stderr: '' })
    for (const what of ['deployment.apps/dbtls', 'networkpolicy.networking.k8s.io/dbtls', ...crds]) {
      expect(applied.stdout).toContain(what)
    }
  })

  it('installs the CRDs, and leaves them when it is uninstalled', async () => {
    const chart = await installChart(plane, { release: 'whole', crds: true })
    await plane.untilEstablished(...crds.map((name) => `crd/${name}`))
    await chart.uninstall()
    expect((await plane.kubectl(['-n', 'whole', 'get', 'deployment', 'whole'])).code).not.toBe(0)
    await plane.kubectlOk(['get', 'crd', ...crds])
  })

  it('passes the restricted Pod Security Standard', async () => {
    await ensureNamespace(plane, 'restricted')
    const levels = ['enforce', 'warn'].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`)
    await plane.kubectlOk(['label', 'namespace', 'restricted', ...levels])
    const manifests = await plane.helmOk([
      'template',
      'dbtls',
      chartFolder,
      '-n',
      'restricted',
      '--set',
      'crds.enabled=false',
    ])
    const applied = await plane.kubectl(
      ['apply', '--server-side', '--dry-run=server', '-n', 'restricted', '-f', '-'],
      manifests,
    )
    // The warning for a Deployment; the pod of `helm test`, which is among them, would be refused outright.
    expect(applied).toMatchObject({ code: 0, stderr: '' })
    expect(applied.stdout).toContain('pod/dbtls-test')

    const loosened = manifests.replaceAll('allowPrivilegeEscalation: false', 'allowPrivilegeEscalation: true')
    const warned = await plane.kubectl(
      ['apply', '--server-side', '--dry-run=server', '-n', 'restricted', '-f', '-'],
      loosened,
    )
    expect(warned.stderr).toContain('violate PodSecurity')
  })
})
