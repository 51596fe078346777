/** DatabaseTLSProfile: seen and answered, so that nobody waits for what this version does not do. */

import { type Context, existing } from '../control/context.ts'
import { report } from '../control/report.ts'
import { databaseTLSProfiles } from '../resources/database-tls-profile.ts'
import type { ReconcileContext, Result } from '../runtime/controller.ts'

export class ProfileReconciler {
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const { profiles } = this.#context.caches
    const profile = existing(profiles, key)
    if (profile === undefined) return {}
    const message =
      'This version does not expand database TLS profiles. Write DatabaseCertificates for the servers and clients of this database instead.'
    const outcome = { state: 'Stalled', reason: 'NotImplemented', message } as const
    await report(this.#context, databaseTLSProfiles, profiles, profile, {}, outcome, signal)
    return {}
  }
}
