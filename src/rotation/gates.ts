/** What a phase may wait for: who keeps the gate shut, and how that is told. Pure. */

import type { Pending, Waiting, World } from './state.ts'

export type GateName = 'usable' | 'delivered' | 'loaded' | 'proved' | 'replaced' | 'served'

export interface Gate {
  /** Those who keep it shut; it is open where there are none. */
  readonly waiting: (world: World) => readonly Waiting[]
  readonly says: (count: number) => string
  readonly counts?: keyof Pending
  /**
   * Whether a soak that runs begins anew when it shuts: somebody has only begun to have what the soak gives him time for. Not of
   * what servers read and serve, which shuts for a moment with each ordinary renewal: those who can be seen need no time.
   */
  readonly restarts?: true
}

export const gates: Readonly<Record<GateName, Gate>> = {
  /** The CA that will sign can do so. Only another one can cure it. */
  usable: {
    waiting: ({ other }) =>
      other?.usable === true
        ? []
        : [{ name: 'the next CA', why: 'abort this rotation (spec.rotation.abort), and begin another one (trigger)' }],
    says: () => 'The next CA has ended or cannot sign',
  },
  /** Every consumer holds the present bundle. */
  delivered: {
    waiting: ({ behind }) => behind,
    says: (count) => `${count} ${count === 1 ? 'consumer does' : 'consumers do'} not hold the present trust bundle`,
    counts: 'consumers',
    restarts: true,
  },
  /** Every server has taken up what was delivered. */
  loaded: {
    waiting: ({ reloads }) => reloads,
    says: (count) =>
      `${count} ${count === 1 ? 'profile has' : 'profiles have'} servers that have not taken up their files`,
    counts: 'reloads',
  },
  /** Every probed server has proved that it trusts the next CA. */
  proved: {
    waiting: ({ unproved }) => unproved,
    says: (count) => `${count} ${count === 1 ? 'server has' : 'servers have'} not proved to trust the next CA`,
    counts: 'endpoints',
    restarts: true,
  },
  /** No certificate of the former CA is valid any more. */
  replaced: {
    waiting: ({ leaves }) => leaves,
    says: (count) => `${count} ${count === 1 ? 'certificate is' : 'certificates are'} still of the former CA`,
    counts: 'certificates',
    restarts: true,
  },
  /** Every probed server serves the certificate that was delivered, with a chain that needs no former CA. */
  served: {
    waiting: ({ notServing }) => notServing,
    says: (count) =>
      `${count} ${count === 1 ? 'server serves' : 'servers serve'} another certificate or chain than the delivered one`,
    counts: 'endpoints',
  },
}

const namedAtMost = 3
const longestReason = 300

const clipped = (text: string): string => (text.length <= longestReason ? text : `${text.slice(0, longestReason)}…`)

/** Three names with their reasons, and how many more there are. */
export const named = (waiting: readonly Waiting[]): string => {
  const shown = waiting.slice(0, namedAtMost).map(({ name, why }) => (why === '' ? name : `${name} (${clipped(why)})`))
  const more = waiting.length - shown.length
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** One sentence for each gate that is shut. */
export const shutGates = (shut: readonly (readonly [Gate, readonly Waiting[]])[]): string[] =>
  shut.map(([gate, waiting]) => `${gate.says(waiting.length)}: ${named(waiting)}.`)
