import { inject } from 'vitest'
import { Connection } from './connection.ts'
import type { ConnectionInfo } from './connection.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    controlPlane: ConnectionInfo
  }
}

/** The control plane of this vitest run (global-setup.ts). Tests that share it use namespaces of their own. */
export const sharedControlPlane = (): Connection => new Connection(inject('controlPlane'))
