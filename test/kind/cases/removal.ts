/** Taking the operator away in the wrong order: nothing hangs, and certificates stay where they are to stay. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Connection } from '../../controlplane/harness/connection.ts'
import { installOperator, operatorNamespace, release } from '../harness/install.ts'
import { during, restartApiServerWith } from '../harness/outages.ts'
import { everything, intermediate } from '../harness/everything.ts'
import { list } from '../harness/pods.ts'
import { cluster, clusterInfo } from '../harness/shared.ts'

describe.skipIf(clusterInfo() === undefined)('removal', () => {
  let plane: Connection
  const apply = (objects: readonly object[]): Promise<string> =>
    plane.kubectlOk(['apply', '--server-side', '-f', '-'], list(objects))
  const ready = async (namespace: string): Promise<void> => {
    const kinds = 'certificateauthorities,databasecertificates,databasetlsprofiles'
    await plane.kubectlOk(['-n', namespace, 'wait', '--for=condition=Ready', '--timeout=120s', '--all', kinds])
  }
  const names = async (kind: string, namespace: string): Promise<string> =>
    (await plane.kubectlOk(['-n', namespace, 'get', kind, '-o', 'name'])).trim()

  beforeAll(() => {
    plane = cluster()
  })
  afterAll(async () => {
    await plane.kubectl(['delete', 'namespace', 'left', 'left-trusting', '--wait=false'])
  })

  it('of the operator while resources exist leaves certificates in place, and namespaces still end', async () => {
    await apply(everything('left', 'left-trusting'))
    await ready('left')
    const before = await plane.kubectlOk(['-n', 'left', 'get', 'secret', 'server-tls', '-o', 'jsonpath={.data}'])
    const uninstall = ['uninstall', release, '--namespace', operatorNamespace, '--wait', '--timeout', '3m']
    await during(() => plane.helmOk(uninstall))
    expect(await plane.kubectlOk(['-n', 'left', 'get', 'secret', 'server-tls', '-o', 'jsonpath={.data}'])).toBe(before)
    expect(await names('databasecertificates', 'left')).toContain('server')
    // Nobody is there to do anything about what is deleted now.
    await plane.kubectlOk(['-n', 'left', 'delete', 'databasetlsprofile', 'orders', '--timeout=60s'])
    await plane.kubectlOk(['-n', 'left', 'delete', 'certificateauthority', 'issuing', '--timeout=60s'])
    await plane.kubectlOk(['delete', 'namespace', 'left-trusting', '--timeout=120s'])
  })

  it('of the operator is undone by installing it again, on an API server too that does not stream lists', async () => {
    const info = clusterInfo()
    const serial = () =>
      plane.kubectlOk(['-n', 'left', 'get', 'databasecertificate', 'server', '-o', 'jsonpath={.status.serialNumber}'])
    const before = await serial()
    if (info?.inNode !== undefined) await restartApiServerWith(plane, info, '--feature-gates=WatchList=false')
    await installOperator(plane, info?.image ?? '')
    await plane.kubectlOk([
      '-n',
      'left',
      'wait',
      '--for=condition=Ready=False',
      'databasecertificate/server',
      '--timeout=120s',
    ])
    expect(await serial()).toBe(before)
    await apply([intermediate('left')])
    await ready('left')
  })
})
