/** Looks at servers, and what they should serve, for tests. */

import type { FaultReason } from '../../database/connect/fault.ts'
import type { Expected, Wish } from './judge.ts'
import type { Look, Visited } from './seen.ts'

export const at = Date.UTC(2026, 10, 21, 18)
export const notAfter = Date.UTC(2027, 0, 1)
export const now: Expected = { certificate: 'orders-server', serialNumber: '0B', fingerprint: 'bb', since: at }
export const served = {
  serialNumber: '0B',
  fingerprint: 'bb',
  issuer: 'CN=Orders CA',
  notAfter,
  names: ['DNS:orders'],
  above: [],
}
export const old = { ...served, serialNumber: '0A', fingerprint: 'aa' }
export const wish = (more: Partial<Wish> = {}): Wish => ({
  ...{ expected: [now], managed: false, facesClients: true, engine: 'MySQL', client: 'app' },
  wasOurs: (serial) => serial === '0A',
  ...more,
})
export const visit = (more: Partial<Visited> = {}): Visited => ({
  ...{ address: '10.0.0.7', problems: [], refused: false, sent: false, served },
  ...more,
})
export const dead = (fault: FaultReason, address = '10.0.0.7'): Visited => ({
  ...{ address, fault, problems: [], refused: false, sent: false },
})
export const look = (visits: readonly Visited[], more: Partial<Look> = {}): Look => ({
  ...{ at, tookMs: 5, visits, client: 'NotNeeded' },
  ...more,
})
