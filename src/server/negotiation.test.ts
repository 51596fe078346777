import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { preferred } from './negotiation.ts'

const offers = ['text/plain', 'application/x-pem-file', 'application/json', 'text/html'] as const
const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'

describe('preferred', () => {
  it.each([
    [undefined, 'text/plain'],
    ['', 'text/plain'],
    ['*/*', 'text/plain'],
    ['application/json', 'application/json'],
    ['APPLICATION/JSON', 'application/json'],
    ['text/*', 'text/plain'],
    ['text/*;q=0.5, text/html', 'text/html'],
    ['application/*', 'application/x-pem-file'],
    [browser, 'text/html'],
    ['application/json;q=0.2, text/plain;q=0.1', 'application/json'],
    ['application/json;q=0.1, text/plain;q=0.2', 'text/plain'],
    ['application/json; q=0.5 , */*; q=0.4', 'application/json'],
    ['text/plain;q=0, */*', 'application/x-pem-file'],
    ['text/plain;q=0, text/*', 'text/html'],
    ['text/plain;charset=utf-8', 'text/plain'],
    ['application/json;q=1.000;x=y', 'application/json'],
    ['image/png', undefined],
    ['*/*;q=0', undefined],
    ['text/plain;q=0', undefined],
    ['application/json;q=2, text/html', 'text/html'],
    ['application/json;q=0.1234, text/html;q=0.1', 'text/html'],
    ['*/json, text/html;q=0.1', 'text/html'],
    ['nonsense', 'text/plain'],
    [', ,', 'text/plain'],
  ])('%s → %s', (accept, offer) => expect(preferred(accept, offers)).toBe(offer))

  it('answers every header with an offer or nothing', () => {
    const parts = fc.constantFrom('text', '/', '*', ',', ';', 'q=', '0.5', 'plain', 'json', ' ', '=', '"')
    fc.assert(
      fc.property(
        fc.array(parts).map((found) => found.join('')),
        (accept) => {
          expect([...offers, undefined]).toContain(preferred(accept, offers))
        },
      ),
    )
  })
})
