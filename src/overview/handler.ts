/** Answers `/` of the metrics' address with the page, and nothing else. What is shown there is in metrics, too: names, times and states, nothing private. */

import type { Caches } from '../control/context.ts'
import { type Handler, textReply } from '../server/http.ts'
import { overviewPage, policy } from './page.ts'
import { viewOf } from './view.ts'

interface OverviewOptions {
  readonly caches: Pick<Caches, 'authorities' | 'certificates' | 'profiles'>
  /** Wall clock, ms. */
  readonly now: () => number
  /** Absent where no other replica could. */
  readonly leads?: (() => boolean) | undefined
}

/** However often it is asked for, the caches are gone through once in this time. */
const freshMs = 1000

export const overviewHandler = ({ caches, now, leads }: OverviewOptions): Handler => {
  let made: { readonly at: number; readonly body: string } | undefined
  const body = (): string => {
    const at = now()
    if (made !== undefined && at >= made.at && at - made.at < freshMs) return made.body
    const { authorities, certificates, profiles } = caches
    const stores = {
      authorities: authorities.store.values(),
      certificates: certificates.store.values(),
      profiles: profiles.store.values(),
    }
    made = { at, body: overviewPage(viewOf({ ...stores, now: at, leads: leads?.() })) }
    return made.body
  }
  return (path) => {
    if (path !== '/') return undefined
    if (![caches.authorities, caches.certificates, caches.profiles].every(({ hasSynced }) => hasSynced))
      return textReply(503, 'just started; the caches are not filled yet\n', { 'retry-after': '5' })
    return {
      status: 200,
      contentType: 'text/html; charset=utf-8',
      body: body(),
      headers: { 'cache-control': 'no-store', 'content-security-policy': policy, 'referrer-policy': 'no-referrer' },
    }
  }
}
