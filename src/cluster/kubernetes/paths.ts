/** URLs of the Kubernetes API: https://kubernetes.io/docs/reference/using-api/api-concepts/ */
import type { ListOptions, Resource, WatchOptions } from '../port.ts'

export interface Target {
  readonly namespace?: string | undefined
  readonly name?: string
  readonly subresource?: 'status'
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** `/api/v1/namespaces/data/secrets/orders`. Names are encoded, so that none can step out of its segment. */
export const pathOf = (resource: Resource, target: Target, query: Query = {}): string => {
  const { group, version, plural, namespaced } = resource
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const scope = namespaced && target.namespace !== undefined ? `/namespaces/${segment(target.namespace)}` : ''
  const name = target.name === undefined ? '' : `/${segment(target.name)}`
  const subresource = target.subresource === undefined ? '' : `/${target.subresource}`
  return `${root}${scope}/${plural}${name}${subresource}${search(query)}`
}

const segment = (text: string): string => {
  // An empty name would turn a write of one object into one of the collection; dots are resolved by proxies.
  if (text === '' || text === '.' || text === '..') throw new RangeError(`"${text}" cannot be a name`)
  return encodeURIComponent(text)
}

const search = (query: Query): string => {
  const parts: string[] = []
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== false) parts.push(`${name}=${encodeURIComponent(value)}`)
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}

export const listQuery = (options: ListOptions): Query => ({
  labelSelector: options.labelSelector,
  fieldSelector: options.fieldSelector,
  limit: options.limit,
  continue: options.continue,
  // The server refuses a resourceVersion beside a continue token, which carries its own.
  resourceVersion: options.continue === undefined ? options.resourceVersion : undefined,
  resourceVersionMatch: options.continue === undefined ? options.resourceVersionMatch : undefined,
})

export const watchQuery = (options: WatchOptions): Query => ({
  watch: true,
  allowWatchBookmarks: true,
  labelSelector: options.labelSelector,
  fieldSelector: options.fieldSelector,
  resourceVersion: options.resourceVersion,
  timeoutSeconds: options.timeoutSeconds,
  ...(options.sendInitialEvents === true
    ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' }
    : { resourceVersionMatch: options.resourceVersionMatch }),
})
