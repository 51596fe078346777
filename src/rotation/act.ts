/** Carries out a step that changes the Secret of a CA. */

import type { Rotator, Staged } from '../authority/rotate.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Step, Write } from './state.ts'

type Name =
  'look' | 'prepare' | 'publish' | 'switchSigner' | 'switchBack' | 'drop' | 'finish' | 'abandon' | 'renewSameKey'

/** What all kinds have: CAs whose keys are made here, those whose owner brings them, and bundles that are only trusted. */
export type Steps = {
  readonly [Each in Name]: (...args: Parameters<Rotator[Each]>) => Promise<Staged>
}

/** Rejects with a ReconcileError, whose message is a sentence. */
export const carryOut = (
  rotator: Steps,
  authority: CertificateAuthority,
  step: Extract<Step, { readonly act: Write }>,
  signal: AbortSignal,
): Promise<Staged> => {
  switch (step.act) {
    case 'Prepare':
      return rotator.prepare(authority, { trigger: step.state.trigger }, signal)
    case 'Publish':
      return rotator.publish(authority, signal)
    case 'Switch':
      return rotator.switchSigner(authority, { dropNow: step.dropNow === true }, signal)
    case 'SwitchBack':
      return rotator.switchBack(authority, { to: step.state.to ?? '' }, signal)
    case 'Drop':
      return rotator.drop(authority, signal)
    case 'Finish':
      return rotator.finish(authority, signal)
    case 'Abandon':
      return rotator.abandon(authority, signal)
    case 'RenewSameKey':
      return rotator.renewSameKey(authority, { trigger: step.state.trigger }, signal)
  }
}
