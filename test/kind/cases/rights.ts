/** What the operator asked of the API server in all that went before, against what the chart lets it do. */
import { describe, expect, it } from 'vitest'
import { forbiddenOf, selectRequests, usedPermissions } from '../../controlplane/harness/audit.ts'
import { grantedPermissions } from '../../controlplane/harness/chart.ts'
import { operatorUser, release } from '../harness/install.ts'
import { outages } from '../harness/outages.ts'
import { cluster, clusterInfo } from '../harness/shared.ts'

describe.skipIf(clusterInfo()?.auditFile === undefined)('the rights of the installed operator', () => {
  const filter = { user: operatorUser }

  it('were never missing', () => {
    const log = cluster().auditLog()
    const unclear = new Set(outages().flatMap((outage) => selectRequests(log, outage)))
    // What a killed server did not write to its end may have been a refusal.
    expect(log.filter((line) => line.torn !== undefined && !unclear.has(line))).toEqual([])
    const refused = forbiddenOf(log, filter).filter((line) => !unclear.has(line))
    expect(refused.map(({ verb, requestURI, requestReceivedTimestamp: at }) => `${at} ${verb} ${requestURI}`)).toEqual(
      [],
    )
  })

  it('were all used, and nothing was done under another name', async () => {
    const plane = cluster()
    const granted = await grantedPermissions(plane, release)
    expect(granted.size).toBeGreaterThan(10)
    // A watch is in the audit log when it ends: those of the release that was uninstalled have ended.
    const used = usedPermissions(plane.auditLog(), filter)
    const unused = [...granted].filter((one) => !used.has(one)).toSorted()
    expect(unused).toEqual([])
    expect([...used].filter((one) => !granted.has(one))).toEqual([])
  })
})
