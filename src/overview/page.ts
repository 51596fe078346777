/** The page of the operator for people: what ends when, which rotation stands where, and what servers serve. Pure. */

import {
  isHeld,
  isRequested,
  pendingInWords,
  type RotationPhase,
  rotationPhases,
  soakEnd,
  underWay,
} from '../control/rotation.ts'
import { fromTimestamp, toTimestamp } from '../control/schedule.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { type Html, markup, page, sheetOf } from '../server/html.ts'
import { life, type Scale, scaleOf } from './life.ts'
import { relative } from '../control/times.ts'
import type { Counts, Ending, Listed, Span, View } from './view.ts'

const sheet = sheetOf(`
main { overflow-wrap: anywhere; }
h3 { font-size: 1.05rem; margin-bottom: 0.3rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 0.75rem; padding: 0; list-style: none; }
.facts li { border: 1px solid var(--line); border-radius: 0.4rem; padding: 0.5rem 0.75rem; }
.facts b { display: block; font-size: 1.4rem; }
.rows, .stages { list-style: none; padding: 0; }
.rows li { border-bottom: 1px solid var(--line); padding: 0.6rem 0; overflow-wrap: anywhere; }
.rows .what { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; justify-content: space-between; align-items: baseline; }
.life { display: block; width: 100%; height: 0.7rem; margin: 0.3rem 0; }
.life .past { fill: #8885; } .life .left { fill: #2a7de1; } .life .soon { fill: #c33; } .life .renewal { fill: currentColor; }
.life .now { fill: currentColor; }
.scale { display: flex; justify-content: space-between; font-size: 0.85rem; border-bottom: 1px solid var(--line); }
.spans { display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 1rem; align-items: center; margin: 0; }
.spans dt, .spans dd { grid-column: 1; } .spans dd { grid-column: 2; display: flex; gap: 0.6rem; align-items: center; }
.spans svg { flex: 1; height: 0.8rem; min-width: 3rem; } .spans rect { fill: #2a7de1; }
.spans .certificates rect { fill: #7aa5d8; }
.spans .count { min-width: 9rem; font-variant-numeric: tabular-nums; }
.stages { display: flex; flex-wrap: wrap; gap: 0.4rem; }
.stages li { flex: 1 1 9rem; border: 1px solid var(--line); border-top: 0.35rem solid #8886; border-radius: 0.3rem; padding: 0.4rem 0.6rem; font-size: 0.9rem; }
.stages .done { border-top-color: #2a7de1; } .stages [aria-current] { border-top-color: #d98200; border-width: 2px; border-top-width: 0.35rem; }
.stages b { display: block; } .small { font-size: 0.9rem; }
@media (max-width: 40rem) { .spans { grid-template-columns: 1fr; gap: 0; } .stages li { flex-basis: 100%; } .spans dd { grid-column: 1; } .spans .count { min-width: 8rem; } }
`)

/** Of the page's Content-Security-Policy. */
export const { policy } = sheet

/** Text of others, so that its writing direction stays its own. */
const foreign = (text: string): Html => markup`<bdi>${text}</bdi>`

const time = (text: string): Html =>
  markup`<time datetime="${text}">${text.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC')}</time>`

const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`

export const overviewPage = (view: View): string =>
  page(
    'dbtls',
    markup`<main>
        <h1>dbtls: what ends when, and what is being replaced</h1>
        <p class="small">
          As of ${time(toTimestamp(view.now))}.
          ${
            view.leads === undefined
              ? undefined
              : view.leads
                ? 'This replica leads.'
                : 'This replica stands by: what it shows is as good, and another one acts.'
          }
        </p>
        ${facts(view)}
        <h2 id="rotations">Rotations</h2>
        ${rotations(view)}
        <h2 id="ends">What ends when</h2>
        ${spans(view.spans)}
        <h2 id="authorities">Authorities that end first</h2>
        ${endings(view.authorities, view.now, 'authority')}
        <h2 id="certificates">Certificates that end first</h2>
        ${endings(view.certificates, view.now, 'certificate')}
        <h2 id="servers">What servers serve</h2>
        ${servers(view)}
      </main>
      <footer class="small">
        <p><a href="metrics">Metrics</a>, <a href="healthz">health</a>, <a href="readyz">readiness</a></p>
      </footer>`,
    sheet,
  )

const facts = ({ counts, rotations: { total } }: View): Html => {
  const fact = ({ all, ready }: Counts, one: string): Html =>
    markup`<li><b>${all}</b>${all === 1 ? one.replace(/ies$/, 'y').replace(/s$/, '') : one}${ready === all ? undefined : `, ${all - ready} not Ready`}</li> `
  return markup`<ul class="facts">
    ${fact(counts.authorities, 'authorities')}${fact(counts.certificates, 'certificates')}${fact(counts.profiles, 'profiles')}
    <li><b>${total}</b>${total === 1 ? 'rotation' : 'rotations'} under way or asked for</li>
  </ul>`
}

const explained: Readonly<Record<RotationPhase, string>> = {
  Idle: '',
  Prepared: 'The next CA is made; nobody knows it yet.',
  TrustBoth: 'Both are trusted; the former one signs.',
  Signing: 'The new one signs; certificates are replaced.',
  DropSoak: 'All are replaced; the former one stays trusted.',
  Dropped: 'The former one is taken out of trust.',
}

const stages = (current: RotationPhase): Html => {
  const at = rotationPhases.indexOf(current)
  const items = rotationPhases.slice(1).map((phase, index) => {
    const step = index + 1
    const state = step < at ? 'done' : step === at ? 'now' : 'to come'
    return step === at
      ? markup`<li aria-current="step"><b>${step}. ${phase}</b> (${state}) ${explained[phase]}</li> `
      : markup`<li class="${step < at ? 'done' : 'ahead'}"><b>${step}. ${phase}</b> (${state}) ${explained[phase]}</li> `
  })
  return markup`<ol class="stages">
    ${items}
  </ol>`
}

const rotations = ({ rotations: { rows, total }, now }: View): Html => {
  if (total === 0) return markup`<p>None is under way.</p>`
  return markup`${rows.map((one) => rotation(one, now))}${total > rows.length ? markup`<p>And ${total - rows.length} more.</p>` : undefined}`
}

const rotation = (authority: CertificateAuthority, now: number): Html => {
  const { namespace = 'default', name } = authority.metadata
  const running = underWay(authority)
  const heading = markup`<h3>${namespace}/${name}</h3>`
  const message = authority.status?.rotation?.message
  const said = message === undefined || message === '' ? undefined : markup`<p>${foreign(message)}</p>`
  if (running === undefined)
    return markup`<section>
      ${heading}
      <p>Asked for, and not begun yet.</p>
      ${said}
    </section> `
  return markup`<section>
    ${heading}${stages(running.phase)}
    <dl>
      ${since('Began', running.startedAt, now)}${since('In this phase since', running.phaseStartedAt, now)}
      <dt>Waits for</dt>
      <dd>${pendingInWords(running) ?? 'nobody'}${soak(soakEnd(authority), now)}</dd>
      ${
        isHeld(authority)
          ? markup`<dt>Held</dt>
              <dd>It goes on after <code>dbtls rotate ${namespace}/${name} --release</code>.</dd>`
          : undefined
      }
      ${
        isRequested(authority)
          ? markup`<dt>Queued</dt>
              <dd>Another rotation begins when this one has ended.</dd>`
          : undefined
      }
    </dl>
    ${said}
  </section> `
}

const since = (label: string, at: string | undefined, now: number): Html | undefined => {
  const instant = fromTimestamp(at)
  if (at === undefined || instant === undefined) return undefined
  return markup`<dt>${label}</dt>
    <dd>${time(at)} (${relative(instant, now)})</dd> `
}

const soak = (end: number | undefined, now: number): Html | undefined =>
  end === undefined ? undefined : markup`; a soak until ${time(toTimestamp(end))} (${relative(end, now)})`

const spans = (all: readonly Span[]): Html => {
  const highest = (kind: 'authorities' | 'certificates'): number => Math.max(1, ...all.map((span) => span[kind]))
  const tops = { authorities: highest('authorities'), certificates: highest('certificates') }
  const bar = (span: Span, kind: 'authorities' | 'certificates', one: string, many: string): Html => {
    const count = span[kind]
    return markup`<dd class="${kind}"><span class="count">${count} ${count === 1 ? one : many}</span>
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">
        <rect width="${Math.round((count / tops[kind]) * 100)}" height="10" />
      </svg>
    </dd> `
  }
  return markup`<dl class="spans">
    ${all.map(
      (span) =>
        markup`<dt>${span.label}</dt>
          ${bar(span, 'authorities', 'authority', 'authorities')}
          ${bar(span, 'certificates', 'certificate', 'certificates')}`,
    )}
  </dl>`
}

const endings = ({ rows, total }: Listed<Ending>, now: number, what: string): Html => {
  if (rows.length === 0) return markup`<p>There is none.</p>`
  const scale = scaleOf(rows, now)
  return markup`<p class="scale" aria-hidden="true"><span>${day(scale.from)}</span><span>${day((scale.from + scale.to) / 2)}</span><span>${day(scale.to)}</span></p>
    <ol class="rows">
      ${rows.map((row) => ending(row, scale, now))}
    </ol>
    ${total > rows.length ? markup`<p>And ${plural(total - rows.length, 'other')}, each of which ends later. <code>dbtls status -A</code> lists them.</p>` : markup`<p class="small">The thin mark on each ${what} is its renewal, the tall one is now.</p>`}`
}

const day = (instant: number): string => new Date(instant).toISOString().slice(0, 10)

const ending = (row: Ending, scale: Scale, now: number): Html => {
  const end = fromTimestamp(row.notAfter) ?? now
  const renewal = fromTimestamp(row.renewAt)
  return markup`<li>
    <div class="what"><code>${row.namespace}/${row.name}</code> <span>${end <= now ? 'ended' : 'ends'} ${relative(end, now)}</span></div>
    ${life(row, scale, now)}
    <div class="small">${time(row.notAfter)}${renewal === undefined ? undefined : markup`, renewal ${renewal <= now ? 'was due ' : ''}${relative(renewal, now)}`}</div>
    ${row.isReady ? undefined : markup`<div class="problem">Not Ready${row.message === '' ? undefined : markup`: ${foreign(row.message)}`}</div>`}
  </li> `
}

const servers = ({ counts, servers: { endpoints, troubled } }: View): Html => {
  if (endpoints === 0)
    return markup`<p>
      ${counts.profiles.all === 0 ? 'There is no profile.' : 'No server is asked: give profiles a spec.probe.'}
    </p>`
  const good = troubled.total === 0
  return markup`<p>
      ${plural(endpoints, 'server')} ${endpoints === 1 ? 'is' : 'are'} asked${good ? ', and each serves what it should.' : '.'}
    </p>
    ${
      good
        ? undefined
        : markup`<ul class="rows">
            ${troubled.rows.map(
              ({ namespace, name, message }) =>
                markup`<li><code>${namespace}/${name}</code>: ${foreign(message)}</li> `,
            )}
          </ul>`
    }
    ${troubled.total > troubled.rows.length ? markup`<p>And ${plural(troubled.total - troubled.rows.length, 'more profile')}.</p>` : undefined}`
}
