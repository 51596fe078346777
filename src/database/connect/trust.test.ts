import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Sight } from './sight.ts'
import { type Judgement, nextStep, type Offer, type Rules, type Seen, usualRules } from './trust.ts'

const sight = (changes: Partial<Sight> = {}): Sight => ({
  outcome: 'Accepted',
  served: {
    serialNumber: '01',
    fingerprint: 'aa',
    subject: '',
    issuer: '',
    names: [],
    notBefore: 0,
    notAfter: 0,
    chain: [],
  },
  problems: [],
  requested: true,
  acceptableIssuers: [],
  offered: true,
  resumed: false,
  tookMs: 5,
  ...changes,
})
const accepted = sight()
const refused = (alert?: number): Sight => sight({ outcome: 'Refused', ...(alert === undefined ? {} : { alert }) })
const unclear = sight({ outcome: 'Unclear' })

interface Run {
  readonly judgement: Judgement
  readonly offers: readonly Offer[]
  readonly history: readonly Seen[]
}
const runAgainst = (server: (offer: Offer, turn: number) => Sight, rules: Rules = usualRules): Run => {
  const history: Seen[] = []
  let at = 0
  for (let turn = 0; turn < 200; turn += 1) {
    const step = nextStep(history, rules)
    if ('verdict' in step) return { judgement: step, offers: history.map(({ offer }) => offer), history }
    at += step.afterMs + 5
    history.push({ offer: step.offer, sight: server(step.offer, turn), at })
  }
  throw new Error('it never ends')
}

type Answers = Readonly<Record<Offer, Sight>>
const good: Answers = { Current: accepted, Stranger: refused(48), Next: accepted }

describe('the judgement', () => {
  it('is Trusted after as many times in a row, and as long, as the rules want', () => {
    const { judgement, offers, history } = runAgainst((offer) => good[offer])
    expect(judgement).toMatchObject({ verdict: 'Trusted', reason: 'Proved' })
    expect(offers.slice(0, 3)).toEqual(['Next', 'Current', 'Stranger'])
    const next = history.filter(({ offer }) => offer === 'Next')
    expect(next.length).toBeGreaterThanOrEqual(usualRules.inARow)
    expect((next.at(-1)?.at ?? 0) - (next[0]?.at ?? 0)).toBeGreaterThanOrEqual(usualRules.overMs)
  })
  it.each<[string, Partial<Answers>, string, string, Offer[]]>([
    ['OpenSSL refuses next', { Next: refused(48) }, 'NotTrusted', 'Refused', ['Next', 'Current']],
    [
      'Java refuses next',
      { Next: refused(46), Stranger: refused(46) },
      'NotTrusted',
      'Refused',
      ['Next', 'Current', 'Stranger'],
    ],
    [
      'Cassandra refuses next',
      { Next: refused(80), Stranger: refused(80) },
      'NotTrusted',
      'Refused',
      ['Next', 'Current', 'Stranger'],
    ],
    [
      'Node hangs up on next',
      { Next: refused(), Stranger: refused() },
      'NotTrusted',
      'Refused',
      ['Next', 'Current', 'Stranger'],
    ],
    ['next has expired', { Next: refused(45) }, 'NotProvable', 'OtherFault', ['Next', 'Current', 'Stranger']],
    [
      'next is refused, a stranger not',
      { Next: refused(46), Stranger: accepted },
      'NotProvable',
      'StrangerAccepted',
      ['Next', 'Current', 'Stranger'],
    ],
    ['a stranger is taken', { Stranger: accepted }, 'NotProvable', 'StrangerAccepted', ['Next', 'Current', 'Stranger']],
    ['current is refused', { Current: refused(48) }, 'NotProvable', 'CurrentRefused', ['Next', 'Current']],
    [
      'all are refused',
      { Current: refused(48), Next: refused(48) },
      'NotProvable',
      'CurrentRefused',
      ['Next', 'Current'],
    ],
    [
      'nothing is asked for',
      { Next: sight({ requested: false, offered: false }) },
      'NotProvable',
      'NotRequested',
      ['Next'],
    ],
    [
      'it is not sent',
      { Next: sight({ offered: false, outcome: 'Refused', alert: 116 }) },
      'NotProvable',
      'NotOffered',
      ['Next'],
    ],
    ['current is not sent', { Current: sight({ offered: false }) }, 'NotProvable', 'NotOffered', ['Next', 'Current']],
    ['the session is resumed', { Next: sight({ resumed: true }) }, 'NotProvable', 'Resumed', ['Next']],
    [
      'the server is somebody else',
      { Next: sight({ problems: ['it is not for db'] }) },
      'NotProvable',
      'ServerNotVerified',
      ['Next'],
    ],
    [
      'another server answers',
      { Current: sight({ served: { ...(accepted.served as NonNullable<Sight['served']>), fingerprint: 'bb' } }) },
      'NotProvable',
      'ServersDiffer',
      ['Next', 'Current'],
    ],
    ['it is never clear', { Next: unclear }, 'NotProvable', 'Undecided', ['Next', 'Next', 'Next', 'Next']],
    [
      'nobody listens',
      { Next: sight({ outcome: 'Failed', fault: { reason: 'ConnectFailed', message: 'no' } }) },
      'Unreachable',
      'ConnectFailed',
      ['Next'],
    ],
    [
      'we are blocked meanwhile',
      { Stranger: sight({ outcome: 'Failed', fault: { reason: 'Blocked', message: 'no' } }) },
      'Unreachable',
      'Blocked',
      ['Next', 'Current', 'Stranger'],
    ],
  ])('%s', (_, answers, verdict, reason, offers) => {
    const run = runAgainst((offer) => ({ ...good, ...answers })[offer])
    expect([run.judgement.verdict, run.judgement.reason, run.offers]).toEqual([verdict, reason, offers])
  })
  it('bears an unclear answer and a lost alert', () => {
    const first = runAgainst((offer, turn) => (turn === 0 ? unclear : good[offer]))
    expect(first.judgement.verdict).toBe('Trusted')
    const lost = runAgainst((offer, turn) => (offer === 'Current' ? accepted : refused(turn === 0 ? undefined : 46)))
    expect(lost.judgement).toMatchObject({ verdict: 'NotTrusted', reason: 'Refused' })
  })
  it('waits for a reload that is under way, but not for ever', () => {
    const soon = runAgainst((offer, turn) => (offer === 'Next' && turn === 5 ? refused(48) : good[offer]))
    expect(soon.judgement.verdict).toBe('Trusted')
    expect(soon.history.slice(6).filter(({ offer }) => offer === 'Next').length).toBeGreaterThanOrEqual(10)
    const never = runAgainst((offer, turn) =>
      offer === 'Next' && turn > 2 && turn % 2 === 1 ? refused(46) : good[offer],
    )
    expect(never.judgement).toMatchObject({ verdict: 'NotTrusted', reason: 'Wavering' })
  })
  it('stops before the server blocks us', () => {
    const rules = { ...usualRules, patience: 100, mostRefusals: 5 }
    const run = runAgainst(
      (offer, turn) => (offer === 'Next' && turn > 2 && turn % 2 === 1 ? refused(46) : good[offer]),
      rules,
    )
    expect(run.judgement.reason).toBe('TooManyRefusals')
    expect(run.history.filter(({ sight: { outcome } }) => outcome === 'Refused')).toHaveLength(5)
  })
})

describe('of any server', () => {
  const alerts = fc.constantFrom(undefined, 42, 45, 46, 48, 80, 116)
  const sights = fc.oneof(
    fc.constant(accepted),
    alerts.map(refused),
    fc.constant(unclear),
    fc.constant(sight({ requested: false, offered: false })),
    fc.constant(sight({ outcome: 'Failed', fault: { reason: 'Closed', message: 'x' } })),
  )
  it('the judgement comes, after few refusals, and Trusted only of one that takes next and refuses strangers', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(sights, sights, sights), { minLength: 1, maxLength: 40 }), (script) => {
        const run = runAgainst((offer, turn) => {
          const [current, stranger, next] = script[turn % script.length] ?? [accepted, accepted, accepted]
          return { Current: current, Stranger: stranger, Next: next }[offer]
        })
        const refusals = run.history.filter(({ sight: { outcome } }) => outcome === 'Refused').length
        expect(refusals).toBeLessThanOrEqual(usualRules.mostRefusals)
        if (run.judgement.verdict !== 'Trusted') return
        const row = run.history.slice(-(usualRules.inARow - 1))
        expect(row.every((seen) => seen.offer === 'Next')).toBe(true)
        expect(run.history.some((seen) => seen.offer === 'Stranger' && seen.sight.outcome === 'Refused')).toBe(true)
        expect(run.history.every((seen) => seen.offer !== 'Stranger' || seen.sight.outcome !== 'Accepted')).toBe(true)
        expect(run.history.some((seen) => seen.offer === 'Current' && seen.sight.outcome === 'Accepted')).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })
})
