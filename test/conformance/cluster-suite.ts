/**
 * What every adapter of the cluster port does alike: one suite, run against the embedded cluster and against a real
 * API server, so that the first cannot drift into a wishful picture of the second.
 */
import { afterAll, beforeAll, describe } from 'vitest'
import type { Cluster } from '../../src/cluster/port.ts'
import { namespaces } from '../../src/resources/core.ts'
import { applies, preconditions } from './cluster-apply.ts'
import { lists, selectors, watches } from './cluster-reads.ts'
import { createAndGet, deletions, refusals, statuses, updates } from './cluster-writes.ts'
import type { Target } from './target.ts'
import { writer } from './target.ts'

export interface Suite {
  readonly cluster: () => Cluster
  /** A namespace of this run; `<namespace>-b` is a second one. */
  readonly namespace: () => string
  /** Whether the target can be told to forget past changes. */
  readonly compact: boolean
  readonly compactNow: () => void
  /** Repeats until it passes: for what the server does in the background. */
  readonly eventually: <T>(check: () => Promise<T>) => Promise<T>
}

const eventually = async <T>(check: () => Promise<T>): Promise<T> => {
  const end = performance.now() + 30_000
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() > end) throw error
      await new Promise((resolve) => {
        setTimeout(resolve, 50)
      })
    }
  }
}

export interface SuiteOptions {
  readonly start: () => Promise<Target>
  /** What the started target will be able to do; known before it starts, because tests are collected first. */
  readonly compacts: boolean
}

export const clusterSuite = (name: string, { start, compacts }: SuiteOptions): void => {
  describe(name, () => {
    let target: Target | undefined
    const running = (): Target => {
      if (!target) throw new Error('the target has not started')
      return target
    }
    const own = `conformance-${process.pid}`
    const suite: Suite = {
      cluster: () => running().cluster,
      namespace: () => own,
      compact: compacts,
      compactNow: () => running().compact?.(),
      eventually,
    }
    beforeAll(async () => {
      target = await start()
      for (const namespace of [own, `${own}-b`])
        await target.cluster.apply(
          namespaces,
          { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
          writer,
        )
    })
    afterAll(() => target?.stop())
    createAndGet(suite)
    updates(suite)
    statuses(suite)
    applies(suite)
    preconditions(suite)
    deletions(suite)
    refusals(suite)
    lists(suite)
    selectors(suite)
    watches(suite)
  })
}
