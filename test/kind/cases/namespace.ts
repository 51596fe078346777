/** Taking a namespace away while the operator is there: nothing hangs, and nothing is left. */
import { describe, it } from 'vitest'
import { eventually } from '../../controlplane/harness/process.ts'
import { everything } from '../harness/everything.ts'
import { list } from '../harness/pods.ts'
import { beside, cluster, clusterInfo, inOrder } from '../harness/shared.ts'

const kinds = 'certificateauthorities,databasecertificates,databasetlsprofiles'

describe.skipIf(clusterInfo() === undefined)('a namespace', beside, () => {
  it('that is removed with everything in it ends, and takes what it gave to others along', inOrder, async () => {
    const plane = cluster()
    const hasBundle = async (): Promise<boolean> =>
      (await plane.kubectlOk(['-n', 'gone-trusting', 'get', 'configmap', '-o', 'name'])).includes('trusted')
    await plane.kubectlOk(['apply', '--server-side', '-f', '-'], list(everything('gone', 'gone-trusting')))
    await plane.kubectlOk(['-n', 'gone', 'wait', '--for=condition=Ready', '--timeout=120s', '--all', kinds])
    await eventually('the bundle', hasBundle)
    await plane.kubectlOk(['delete', 'namespace', 'gone', '--timeout=120s'])
    await eventually('the bundle to go', async () => !(await hasBundle()))
    await plane.kubectlOk(['delete', 'namespace', 'gone-trusting', '--timeout=120s'])
  })
})
