/** Taking things away, in the wrong order too: nothing hangs, nothing is left, and certificates stay where they are to stay. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Connection } from '../../controlplane/harness/connection.ts'
import { eventually } from '../../controlplane/harness/process.ts'
import { installOperator, operatorNamespace, release } from '../harness/install.ts'
import { during, restartApiServerWith } from '../harness/outages.ts'
import { type CaseNamespace, list, namespaceOf, resource } from '../harness/pods.ts'
import { cluster, clusterInfo } from '../harness/shared.ts'

const intermediate = (namespace: string): object =>
  resource('CertificateAuthority', namespace, 'issuing', {
    source: { intermediate: { authorityRef: { name: 'root' } } },
    subject: { commonName: 'Issuing' },
  })

/** A root, an intermediate, a certificate, a profile, and a trust bundle in another namespace. */
const everything = (namespace: CaseNamespace, trusting: CaseNamespace): object[] => [
  namespaceOf(namespace),
  { ...namespaceOf(trusting), ...{ metadata: { name: trusting, labels: { trusts: namespace } } } },
  resource('CertificateAuthority', namespace, 'root', {
    ...{ source: { selfSigned: {} }, subject: { commonName: 'Root' }, maxPathLength: 1, crl: {} },
    trustBundle: {
      targets: [
        {
          ...{
            kind: 'ConfigMap',
            name: 'trusted',
            namespaces: { from: 'Selector', selector: { matchLabels: { trusts: namespace } } },
          },
          items: [{ key: 'ca.crt', content: 'TrustBundle' }],
        },
      ],
    },
  }),
  intermediate(namespace),
  resource('DatabaseCertificate', namespace, 'server', {
    ...{ authorityRef: { name: 'issuing' }, dnsNames: ['server.test'], secret: { name: 'server-tls' } },
  }),
  resource('DatabaseTLSProfile', namespace, 'orders', {
    ...{ engine: 'PostgreSQL', authorityRef: { name: 'issuing' }, topology: { services: ['orders'] } },
    clients: [{ name: 'app' }],
  }),
]

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

  it('of a namespace with everything in it ends, and takes what it gave to others along', async () => {
    await apply(everything('gone', 'gone-trusting'))
    await ready('gone')
    await eventually('the bundle', async () => (await names('configmap', 'gone-trusting')).includes('trusted'))
    await plane.kubectlOk(['delete', 'namespace', 'gone', '--timeout=120s'])
    await eventually('the bundle to go', async () => !(await names('configmap', 'gone-trusting')).includes('trusted'))
    await plane.kubectlOk(['delete', 'namespace', 'gone-trusting', '--timeout=120s'])
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
