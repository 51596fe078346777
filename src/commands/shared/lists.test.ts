import { expect, test } from 'vitest'
import { allInOrder } from './lists.ts'

const after = async <T>(turns: number, answer: () => T): Promise<T> => {
  for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
  return answer()
}
const failing = (turns: number, message: string): Promise<never> =>
  after(turns, () => {
    throw new Error(message)
  })

test('of several that fail the first in order is told, whichever failed first', async () => {
  await expect(allInOrder([after(1, () => 1), failing(9, 'slow'), failing(1, 'quick')])).rejects.toThrow('slow')
  expect(await allInOrder([after(9, () => 1), after(1, () => 2)])).toEqual([1, 2])
})
