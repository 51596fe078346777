import { inject } from 'vitest'
import type {} from './global-setup.ts'
import { Connection } from './connection.ts'

/** The control plane of this vitest run (global-setup.ts). Tests that share it use namespaces of their own. */
export const sharedControlPlane = (): Connection => new Connection(inject('controlPlane'))
