/** What the operator asked of the API server in all that went before, against what the chart lets it do. */
import { describe, expect, it } from 'vitest'
import { forbiddenOf, usedPermissions } from '../../controlplane/harness/audit.ts'
import { grantedPermissions } from '../../controlplane/harness/chart.ts'
import { operatorNamespace, operatorUser, release } from '../harness/install.ts'
import { cluster, clusterInfo } from '../harness/shared.ts'

describe.skipIf(clusterInfo()?.auditFile === undefined)('the rights of the installed operator', () => {
  const filter = { user: operatorUser }

  it('were never missing', () => {
    const refused = forbiddenOf(cluster().auditLog(), filter)
    expect(refused.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([])
  })
  it('cover all that it did, and nothing was done under another name', async () => {
    const plane = cluster()
    const used = usedPermissions(plane.auditLog(), filter)
    expect(used.size).toBeGreaterThan(10)
    const granted = await grantedPermissions(plane, release)
    // Everybody may review what they may do, and who they are.
    const beyond = [...used].filter((one) => !granted.has(one) && !one.includes('authorization.k8s.io/'))
    expect(beyond).toEqual([])
    const unused = [...granted].filter((one) => !used.has(one))
    console.log(`rights used: ${used.size} of ${granted.size}; not in these tests: ${unused.toSorted().join(', ')}`)
  })
})

describe.skipIf(clusterInfo() === undefined)('the pods of the operator', () => {
  it('tell what they take of memory and processor, below their limits', async () => {
    const plane = cluster()
    const selector = ['-l', `app.kubernetes.io/name=dbtls,app.kubernetes.io/instance=${release}`]
    const found = await plane.kubectlOk(['-n', operatorNamespace, 'get', 'pods', ...selector, '-o', 'name'])
    const names = found.trim().split('\n')
    expect(names).toHaveLength(2)
    for (const name of names.map((one) => one.replace('pod/', ''))) {
      const path = `/api/v1/namespaces/${operatorNamespace}/pods/${name}:9090/proxy/metrics`
      const metrics = await plane.kubectlOk(['get', '--raw', path])
      const value = (metric: string): number => Number(new RegExp(`^${metric} (.*)$`, 'm').exec(metrics)?.[1])
      const memory = value('process_resident_memory_bytes') / 2 ** 20
      const seconds = value('process_cpu_seconds_total')
      console.log(`${name}: ${memory.toFixed(0)} MiB, ${seconds.toFixed(1)} s of processor since its start`)
      // The chart's limit.
      expect(memory).toBeLessThan(512)
      expect(seconds).toBeGreaterThan(0)
    }
  })
})
