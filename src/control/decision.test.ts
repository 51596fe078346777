import { describe, expect, it } from 'vitest'
import { type Check, encode, evaluate, issue, sentences, stall, wait } from './decision.ts'

const all = {
  Stall: stall('RequestInvalid', 'stalls.'),
  Wait: wait('AuthorityNotReady', 'waits.'),
  Issue: issue('Issuing', 'issues.'),
  Encode: encode('Encoding', 'encodes.'),
}
const nothing: Check<unknown> = () => undefined

describe('evaluate', () => {
  it.each([
    { found: [all.Encode, all.Issue, all.Wait, all.Stall], cure: 'Stall' },
    { found: [all.Encode, all.Issue, all.Wait], cure: 'Wait' },
    { found: [all.Encode, all.Issue], cure: 'Issue' },
    { found: [all.Encode], cure: 'Encode' },
    { found: [], cure: 'None' },
  ])('lets the strongest of $found.length cures act: $cure', ({ found, cure }) => {
    const decision = evaluate([nothing, ...found.map((finding) => () => finding)], {}, 0)
    expect(decision.cure).toBe(cure)
    expect(decision.findings).toEqual(found)
    expect(decision.acting).toEqual(found.filter((finding) => finding.cure === cure))
  })

  it('asks every check, and keeps their order', () => {
    const two = stall('PassphraseNotFound', 'stalls, too.')
    const { acting } = evaluate([() => all.Stall, () => all.Issue, () => two], {}, 0)
    expect(sentences(acting)).toBe('stalls. stalls, too.')
  })
})
