import { inject } from 'vitest'
import { Connection } from '../../controlplane/harness/connection.ts'
import { connectionOf } from './cluster-info.ts'
import type { ClusterInfo } from './cluster-info.ts'

/** Undefined where no cluster could be started; the reason is on stderr. */
export const clusterInfo = (): ClusterInfo | undefined => inject('kind')

export const cluster = (): Connection => {
  const info = clusterInfo()
  if (info === undefined) throw new Error('there is no cluster')
  return new Connection(connectionOf(info))
}

/** Of suites: those that follow each other run side by side. */
export const beside = { concurrent: true } as const
/** Of the tests in such a suite that are not to be side by side themselves. */
export const inOrder = { concurrent: false } as const
