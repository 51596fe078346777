/**
 * Every shape of certificate and revocation list that the program issues, before the tools of other people and before checks
 * that none of them makes; and that each of them can find something, on samples with one fault each.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { badSamples } from './bad-samples.ts'
import { type JudgeName, type Judgement, judges } from './judges.ts'
import { goodSamples, type Sample, writeSamples } from './samples.ts'

const names = Object.keys(judges) as JudgeName[]
const folder = mkdtempSync(join(tmpdir(), 'dbtls-profile-'))
const good: Sample[] = []
const judgements = new Map<JudgeName, Judgement>()

beforeAll(async () => {
  good.push(...(await goodSamples()))
  const bad: Sample[] = []
  for (const { name, make } of badSamples) bad.push({ name, ...(await make()) })
  const samples = [...good, ...bad]
  writeSamples(folder, samples)
  for (const name of names) {
    console.error(`${name} judges ${samples.length} samples …`)
    const judgement = await judges[name](folder, samples)
    if ('skipped' in judgement) console.error(`SKIPPED: ${name} as a judge of the profile: ${judgement.skipped}`)
    judgements.set(name, judgement)
  }
}, 600_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What judges say where nothing is wrong. */
const unfounded: readonly { readonly judge: JudgeName; readonly sample: RegExp; readonly says: RegExp }[] = [
  // It takes the common name of a root for a DNS name when the root itself is what is verified.
  { judge: 'gnutls', sample: /^root with name constraints$/, says: /violates the signer's constraints/ },
  // Versions before 3.99 do not know the algorithm.
  { judge: 'nss', sample: /Ed25519/, says: /./ },
  // Its policy is the Web PKI's, where everything has alternative names.
  { judge: 'python', sample: /^client without alternative names$/, says: /2\.5\.29\.17/ },
  // RFC 5280 leaves wildcards to others (RFC 9525 §6.3), and the linter's list of URI schemes has no spiffe.
  { judge: 'pkilint', sample: /^leaf with every kind of name$/, says: /"\*\.db\.data\.svc"|"spiffe:/ },
]

const isUnfounded = (name: JudgeName, about: string, problem: string): boolean =>
  unfounded.some(({ judge, sample, says }) => judge === name && sample.test(about) && says.test(problem))

describe.each(names)('%s', (name) => {
  test('accepts every shape that the program issues', (context) => {
    const judgement = judgements.get(name)
    if (judgement === undefined || 'skipped' in judgement) return context.skip(judgement?.skipped)
    const refused = good
      .map((sample) => ({
        sample: sample.name,
        problems: (judgement.get(sample.name) ?? ['nothing was said']).filter(
          (problem) => !isUnfounded(name, sample.name, problem),
        ),
      }))
      .filter(({ problems }) => problems.length > 0)
    expect(refused).toEqual([])
  })

  test('can refuse', () => {
    const refused = badSamples.filter(({ foundBy }) => foundBy.split(' ').includes(name))
    expect(refused.length).toBeGreaterThan(5)
  })
})

describe('a sample with a fault', () => {
  test.each(badSamples.map(({ name, foundBy }) => [name, foundBy] as const))('%s is found by %s', (sample, foundBy) => {
    const present = names.filter((name) => !('skipped' in (judgements.get(name) ?? { skipped: '' })))
    const refused = present.filter((name) => {
      const judgement = judgements.get(name)
      return judgement !== undefined && 'get' in judgement && (judgement.get(sample) ?? []).length > 0
    })
    const expected = foundBy.split(' ')
    expect(expected.filter((name) => !names.includes(name as JudgeName))).toEqual([])
    expect(refused).toEqual(expected.filter((name) => present.includes(name as JudgeName)))
  })

  test('is found by somebody, whatever it is', () =>
    expect(badSamples.filter(({ foundBy }) => foundBy === '').map(({ name }) => name)).toEqual([]))
})
