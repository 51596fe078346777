/** How servers come by the CAs that they are to trust, and by what it shows. Pure. */

import type { ServerState } from './decide.ts'
import type { ReloadPlan } from './plan.ts'

/** How servers come by CAs: told, restarted, by themselves, or by somebody else's hand. */
export type Means = 'SQL' | 'Rollout' | 'Automatic' | 'ByHand'

export const meansOf = ({ strategy, reload: { authority } }: ReloadPlan): Means => {
  if (authority === 'Automatic') return 'Automatic'
  if (strategy === 'Rollout') return 'Rollout'
  return strategy === 'SQL' && authority === 'Statement' ? 'SQL' : 'ByHand'
}

/** Cassandra looks at its files every ten minutes, and no other that looks by itself less often. */
export const passedMs = (means: Means, arrivalMs: number): number => (means === 'Automatic' ? 600_000 : 0) + arrivalMs

/** Who reads both at a time, and shows a certificate that came after the CAs, has read them too. */
export const showsLater = ({ reload, servers }: ReloadPlan, states: readonly ServerState[], since: number): boolean =>
  reload.leaf === reload.authority &&
  servers.length > 0 &&
  servers.every(({ delivered }, index) =>
    delivered.some((one) => one.serial === states[index]?.served && (one.since ?? 0) > since),
  )
