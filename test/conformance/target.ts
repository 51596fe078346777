/** What the suite of the cluster port runs against, and the objects it writes there. */
import type { Cluster, KubeObject, Resource, WatchEvent } from '../../src/cluster/port.ts'
import type { ConfigMap, Secret } from '../../src/resources/core.ts'
import type { DatabaseCertificate } from '../../src/resources/database-certificate.ts'

export interface Target {
  readonly cluster: Cluster
  /** Makes the server forget past changes, where it can be asked to. */
  readonly compact: (() => void) | undefined
  readonly stop: () => Promise<void>
}

export const writer = { fieldManager: 'suite' }
export const other = { fieldManager: 'somebody' }

export const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** An empty `data` is left out: the API server stores none, and then counts every apply of it as a change. */
const filled = (data: Readonly<Record<string, string>>) => (Object.keys(data).length === 0 ? {} : { data })

export const secret = (
  namespace: string,
  name: string,
  data: Readonly<Record<string, string>> = { a: 'one' },
  metadata: Partial<Secret['metadata']> = {},
): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace, name, ...metadata },
  ...filled(Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)]))),
})

export const configMap = (
  namespace: string,
  name: string,
  data: Readonly<Record<string, string>>,
  metadata: Partial<ConfigMap['metadata']> = {},
): ConfigMap => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name, ...metadata }, ...filled(data) })

export const certificate = (
  namespace: string,
  name: string,
  spec: Partial<DatabaseCertificate['spec']> = {},
  metadata: Partial<DatabaseCertificate['metadata']> = {},
): DatabaseCertificate => ({
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'DatabaseCertificate',
  metadata: { namespace, name, ...metadata },
  spec: {
    authorityRef: { name: 'orders-ca' },
    dnsNames: [`${name}.data.svc`],
    secret: { name: `${name}-tls` },
    ...spec,
  } as DatabaseCertificate['spec'],
})

export const ownerOf = (object: KubeObject) => ({
  apiVersion: object.apiVersion,
  kind: object.kind,
  name: object.metadata.name,
  uid: object.metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
})

/** The first `count` events that are not bookmarks. */
export const take = async <T extends KubeObject>(
  events: AsyncIterable<WatchEvent<T>>,
  count: number,
): Promise<string[]> => {
  const seen: string[] = []
  for await (const event of events) {
    if (event.type === 'BOOKMARK') continue
    seen.push(`${event.type} ${event.object.metadata.name}`)
    if (seen.length >= count) break
  }
  return seen
}

/** Every object of a selection, page by page. */
export const listAll = async <T extends KubeObject>(
  cluster: Cluster,
  resource: Resource<T>,
  options: Parameters<Cluster['list']>[1],
): Promise<{ readonly names: string[]; readonly pages: number; readonly versions: Set<string> }> => {
  const names: string[] = []
  const versions = new Set<string>()
  let pages = 0
  let token: string | undefined
  do {
    const page = await cluster.list(resource, { ...options, ...(token === undefined ? {} : { continue: token }) })
    names.push(...page.items.map((item) => item.metadata.name))
    versions.add(page.resourceVersion)
    pages += 1
    token = page.continue
  } while (token !== undefined && token !== '')
  return { names, pages, versions }
}
