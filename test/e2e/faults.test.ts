import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ControlPlane,
  eventually,
  forbiddenOf,
  selectRequests,
  usedPermissions,
} from '../controlplane/harness/index.ts'
import { ledgerOf, ledgerProblems } from './support/ledger.ts'
import { authority, certificate } from './support/manifests.ts'
import { Recorder } from './support/recorder.ts'
import { allWaitForTheirCa, issuanceUnderWay } from './support/burst.ts'
import { Rig, authorities, certificates, listPermissions } from './support/rig.ts'

const namespaces = ['e2e-api-server', 'e2e-etcd', 'e2e-token', 'e2e-later'] as const
const many = 100

describe('an operator while its control plane fails', () => {
  let plane: ControlPlane
  let rig: Rig
  const restarts: { readonly since: number; readonly until: number }[] = []

  beforeAll(async () => {
    plane = await ControlPlane.start({
      // Watches lose their place within seconds, and caches must be listed: what old and busy servers do.
      apiServerFlags: ['--etcd-compaction-interval=3s', '--min-request-timeout=20', '--feature-gates=WatchList=false'],
    })
    rig = await Rig.start(plane, { release: 'e2e-faults-operator' }, namespaces)
    await rig.operator()
    await rig.operator()
  })
  afterAll(async () => {
    for (const operator of rig.operators) await operator.stop()
    rig.api.close()
    await plane.stop({ keep: process.env['DBTLS_KEEP'] !== undefined })
  })

  const during = async (ns: string, fault: () => Promise<unknown>): Promise<void> => {
    const recorder = new Recorder(rig.api, ns)
    try {
      await allWaitForTheirCa(rig, ns, many)
      await rig.apply(authority(ns, 'ca'))
      await issuanceUnderWay(rig, ns, many)
      await fault()
      await rig.allReady(ns, many, 90_000)
      const entries = await ledgerOf(rig.api, ns)
      expect(ledgerProblems(entries, recorder.serials())).toEqual([])
      expect(await recorder.problems()).toEqual([])
      // Each fault may cost every worker the certificate it was at.
      expect(entries.length - 1 - many).toBeLessThanOrEqual(32)
    } finally {
      await recorder.stop()
    }
  }

  it('loses and repeats nothing when the API server is killed in the middle of issuance', async () => {
    const [ns] = namespaces
    await during(ns, async () => {
      await plane.killApiServer()
      const since = Date.now()
      await plane.startApiServer()
      restarts.push({ since, until: Date.now() + 10_000 })
    })
  })

  it('loses and repeats nothing when etcd is killed in the middle of issuance', async () => {
    const [, ns] = namespaces
    await during(ns, async () => {
      await plane.killEtcd()
      await new Promise((resolve) => setTimeout(resolve, 2_000))
      await plane.startEtcd()
    })
  })

  it('goes on with the next token when the one it has is worth nothing any more', async () => {
    const [, , ns] = namespaces
    const { chart } = rig
    await rig.apply(authority(ns, 'ca'), certificate(ns, 'before'))
    await rig.ready(ns, certificates, 'before')
    const former = plane.kubeconfigFor({ token: readFileSync(chart.tokenFile, 'utf8') })
    // A token is bound to the uid of its ServiceAccount; roles are bound to the name.
    const account = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: chart.serviceAccount, namespace: chart.namespace },
    }
    await plane.kubectlOk(['-n', chart.namespace, 'delete', 'serviceaccount', chart.serviceAccount])
    await plane.apply(JSON.stringify(account))
    writeFileSync(chart.tokenFile, await chart.newToken(), { mode: 0o600 })
    await eventually('the former token to be refused', async () => {
      const { stderr } = await plane.kubectl(['--kubeconfig', former, 'get', 'secrets', '-A'])
      return /Unauthorized|logged in/.test(stderr)
    })
    await rig.apply(certificate(ns, 'after'))
    await rig.ready(ns, certificates, 'after')
    expect(rig.operators.every(({ running }) => running)).toBe(true)
  })

  it('sees what comes after its watches were cut and its place in them was forgotten', async () => {
    const [, , , ns] = namespaces
    await rig.apply(authority(ns, 'ca'))
    await rig.ready(ns, authorities, 'ca')
    await new Promise((resolve) => setTimeout(resolve, 8_000))
    await rig.apply(certificate(ns, 'late'))
    await rig.ready(ns, certificates, 'late')
    const { serialNumber } = (await rig.ready(ns, certificates, 'late')).status ?? {}
    await rig.apply(certificate(ns, 'late', { renewTrigger: 'now' }))
    await eventually('the renewal', async () => {
      const { status } = await rig.ready(ns, certificates, 'late')
      return status?.serialNumber !== serialNumber
    })
  })

  it('was refused nothing, and listed where it could not watch from the beginning', () => {
    const { user } = rig.chart
    // An API server that has just started knows no roles for a moment.
    const early = restarts.map((restart) => selectRequests(plane.auditLog(), { user, ...restart }))
    const forbidden = forbiddenOf(plane.auditLog(), { user })
    expect(forbidden.filter((line) => !early.flat().includes(line)).map(({ requestURI }) => requestURI)).toEqual([])
    const used = usedPermissions(plane.auditLog(), { user })
    expect([...listPermissions].filter((permission) => !used.has(permission))).toEqual([])
  })
})
