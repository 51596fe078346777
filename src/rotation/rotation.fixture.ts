/** Worlds and states for the tests of this room. */
import type { State, Waiting, Wish, World } from './state.ts'

export const hour = 3_600_000
export const day = 24 * hour
export const start = Date.UTC(2027, 0, 4, 12)

export const someone = (name = 'DatabaseCertificate data/orders-server'): Waiting => ({
  name,
  why: 'holds another one',
})

type Changes = Partial<Omit<World, 'wish'>> & { readonly wish?: Partial<Wish> }

/** A CA at rest with nothing asked for, and everything that a phase could wait for seen. */
export const world = ({ wish, ...changes }: Changes = {}): World => ({
  now: start,
  newborn: false,
  stage: 'Plain',
  signer: { fingerprint: 'A', notAfter: start + 3650 * day, expired: false, expiring: false },
  changesTrust: true,
  behind: [],
  reloads: [],
  unproved: [],
  notProvable: [],
  proved: 1,
  leaves: [],
  notServing: [],
  ...changes,
  wish: {
    trigger: '',
    abort: '',
    onTrigger: 'NewKey',
    onExpiry: 'ReuseKey',
    holdAt: '',
    compromised: false,
    dropNow: false,
    trustSoakMs: day,
    dropSoakMs: day,
    replaced: false,
    open: true,
    ...wish,
  },
})

/** What the Secret holds in each phase, with the CAs named by their order. */
export const material = {
  Idle: { stage: 'Plain' },
  Prepared: { stage: 'Next', other: { fingerprint: 'B', usable: true } },
  TrustBoth: { stage: 'Both', other: { fingerprint: 'B', usable: true } },
  Signing: {
    stage: 'Switched',
    signer: { fingerprint: 'B', notAfter: start + 3650 * day, expired: false, expiring: false },
    other: { fingerprint: 'A', usable: true },
  },
  DropSoak: {
    stage: 'Switched',
    signer: { fingerprint: 'B', notAfter: start + 3650 * day, expired: false, expiring: false },
    other: { fingerprint: 'A', usable: true },
  },
  Dropped: {
    stage: 'Dropped',
    signer: { fingerprint: 'B', notAfter: start + 3650 * day, expired: false, expiring: false },
    other: { fingerprint: 'A', usable: true },
  },
} as const satisfies Readonly<Record<string, Changes>>

/** A rotation in a phase, begun two days before. */
export const rotating = (phase: State['phase'], changes: Partial<State> = {}): State => ({
  phase,
  mode: 'NewKey',
  cause: 'Trigger',
  startedAt: start - 2 * day,
  phaseStartedAt: start - day,
  trigger: '',
  abort: '',
  from: 'A',
  to: 'B',
  ...changes,
})
