/** Whole lists, page by page. */

import { isExpired } from '../../cluster/errors.ts'
import type { Cluster, KubeObject, ListOptions, Resource } from '../../cluster/port.ts'

const pageSize = 500

/** Every object that `options` select. A list that grew too old between two pages is begun again. */
export const listAll = async <T extends KubeObject>(
  cluster: Cluster,
  resource: Resource<T>,
  options: Omit<ListOptions, 'limit' | 'continue'> = {},
): Promise<T[]> => {
  for (;;) {
    try {
      return await pages(cluster, resource, options)
    } catch (error) {
      if (!isExpired(error)) throw error
    }
  }
}

const pages = async <T extends KubeObject>(
  cluster: Cluster,
  resource: Resource<T>,
  options: ListOptions,
): Promise<T[]> => {
  const items: T[] = []
  let token: string | undefined
  do {
    const page = await cluster.list(resource, {
      ...options,
      limit: pageSize,
      ...(token === undefined ? {} : { continue: token }),
    })
    items.push(...page.items)
    token = page.continue
  } while (token !== undefined && token !== '')
  return items
}

/** As Promise.all, but of several that fail the first in order is told, whichever failed first. */
export const allInOrder = async <T>(promises: readonly Promise<T>[]): Promise<T[]> => {
  const settled = await Promise.allSettled(promises)
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}
