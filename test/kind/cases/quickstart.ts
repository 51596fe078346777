/** The quickstart as a newcomer applies it, and its Secrets used by pods: mounted, served, and verified by name through a Service. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Connection } from '../../controlplane/harness/connection.ts'
import { operatorNamespace, release } from '../harness/install.ts'
import { deployment, list, pod, scripts, service } from '../harness/pods.ts'
import { beside, cluster, clusterInfo, inOrder } from '../harness/shared.ts'

const namespace = 'data'

describe.skipIf(clusterInfo() === undefined)('the quickstart on a real cluster', beside, () => {
  let plane: Connection
  const image = clusterInfo()?.image ?? ''

  beforeAll(() => {
    plane = cluster()
  })
  afterAll(async () => {
    await plane.kubectl(['delete', 'namespace', namespace, '--wait=false'])
  })

  it(
    'is installed under the restricted Pod Security Standard, two replicas, and passes helm test',
    inOrder,
    async () => {
      const deployed = await plane.getJson<{ status: { readyReplicas: number } }>([
        ...['-n', operatorNamespace, 'deployment', release],
      ])
      expect(deployed.status.readyReplicas).toBe(2)
      const said = await plane.helmOk(['test', release, '--namespace', operatorNamespace, '--timeout', '3m'])
      expect(said).toContain('Succeeded')
    },
  )

  it('becomes Ready after kubectl apply', inOrder, async () => {
    await plane.kubectlOk(['apply', '--server-side', '-f', 'examples/quickstart'])
    const wait = ['-n', namespace, 'wait', '--for=condition=Ready', '--timeout=120s', '--all']
    expect(await plane.kubectlOk([...wait, 'certificateauthorities,databasecertificates'])).toContain('condition met')
  })

  it(
    'serves TLS from a mounted Secret, and another pod verifies it by name and is known by its certificate',
    inOrder,
    async () => {
      const serving = { script: 'server.mjs', env: { PORT: '3306' }, secrets: { '/tls': 'orders-mysql-tls' } }
      const asking = { script: 'once.mjs', env: { HOST: 'orders-mysql.data.svc', PORT: '3306' } }
      await plane.kubectlOk(
        ['apply', '-f', '-'],
        list([
          scripts(namespace, ['files.mjs', 'server.mjs', 'once.mjs']),
          service(namespace, 'orders-mysql', 'orders-mysql', 3306),
          deployment({ name: 'orders-mysql', namespace, image, ...serving }),
          pod({ name: 'reports', namespace, image, ...asking, secrets: { '/tls': 'reports-tls' } }),
        ]),
      )
      const done = '--for=jsonpath={.status.phase}=Succeeded'
      await plane.kubectlOk(['-n', namespace, 'wait', done, 'pod/reports', '--timeout=180s'])
      const issued = await plane.getJson<{ status: { serialNumber: string } }>([
        ...['-n', namespace, 'databasecertificate', 'orders-mysql'],
      ])
      expect(JSON.parse(await plane.kubectlOk(['-n', namespace, 'logs', 'reports']))).toEqual({
        ...{ authorized: true, server: 'orders-mysql.data.svc', calledMe: 'reports' },
        serialNumber: issued.status.serialNumber,
      })
    },
  )
})
