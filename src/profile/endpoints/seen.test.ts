import { describe, expect, it } from 'vitest'
import { answered } from './seen.ts'
import { dead, look, visit } from './seen.fixture.ts'

describe('a look at a server', () => {
  it('counts as dead whoever holds a socket and says nothing', () => {
    expect(answered(look([visit()]))).toBe(true)
    expect(answered(look([dead('TLSOff')]))).toBe(true)
    expect(answered(look([visit(), dead('NoAnswer')]))).toBe(false)
    expect(answered(look([dead('ConnectFailed')]))).toBe(false)
    expect(answered(look([], { nameFault: 'NoAnswer' }))).toBe(false)
    expect(answered(look([], { refusal: 'no' }))).toBe(true)
  })
})
