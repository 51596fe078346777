/** The life of a certificate as a bar on a scale of time that it shares with its neighbours. Pure. */

import { fromTimestamp } from '../control/schedule.ts'
import { type Html, markup } from '../server/html.ts'
import type { Ending } from './view.ts'

/** ms */
export interface Scale {
  readonly from: number
  readonly to: number
}

const day = 86_400_000
const week = 7 * day

/** From now, or the first end where one has passed, to the last end; the days before now show that all are under way. */
export const scaleOf = (rows: readonly Ending[], now: number): Scale => {
  const ends = rows.map(({ notAfter }) => fromTimestamp(notAfter) ?? now)
  const to = Math.max(now + day, ...ends)
  const span = to - now
  return { from: Math.min(now - span / 20, Math.max(Math.min(now, ...ends), now - span) - span / 20), to }
}

const width = 1000

/** Readable without it: what it shows is written beside it. */
export const life = ({ notBefore, notAfter, renewAt }: Ending, { from, to }: Scale, now: number): Html => {
  const at = (instant: number): number =>
    Math.round((Math.min(Math.max((instant - from) / (to - from), 0), 1) * width * 10) / 10)
  const begin = at(fromTimestamp(notBefore) ?? from)
  const end = fromTimestamp(notAfter) ?? now
  const renewal = fromTimestamp(renewAt)
  const [present, last] = [at(now), at(end)]
  const left = Math.max(last - Math.max(present, begin), 0)
  const mark = (name: string, x: number, y: number, height: number): Html =>
    markup`<rect class="${name}" x="${Math.min(x, width - 4)}" y="${y}" width="4" height="${height}" />`
  return markup`<svg
    class="life"
    viewBox="0 0 ${width} 10"
    preserveAspectRatio="none"
    aria-hidden="true"
    focusable="false"
  >
    <rect class="past" x="${begin}" y="2" width="${Math.max(Math.min(present, last) - begin, 0)}" height="6" />
    <rect
      class="${end - now < week ? 'soon' : 'left'}"
      x="${Math.max(present, begin)}"
      y="2"
      width="${left}"
      height="6"
    />
    ${renewal === undefined || renewal < from ? undefined : mark('renewal', at(renewal), 3, 4)}${mark('now', present, 0, 10)}
  </svg>`
}
