import { expect, it } from 'vitest'
import { choicesOf } from './check-licences.ts'

it.each([
  [{ license: 'MIT' }, ['MIT']],
  [{ license: '(MIT OR Apache-2.0)' }, ['MIT', 'Apache-2.0']],
  [{ license: 'MIT AND GPL-3.0' }, ['MIT AND GPL-3.0']],
  [{ license: { type: 'ISC' } }, ['ISC']],
  [{ licenses: [{ type: 'MIT' }, { type: 'GPL-2.0' }] }, ['MIT', 'GPL-2.0']],
  [{}, ['no licence']],
])('reads the licences to choose from in %j', (manifest, choices) => {
  expect(choicesOf(manifest)).toEqual(choices)
})
