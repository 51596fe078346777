/** A root that is replaced, an intermediate that both roots have signed with the same key, and a server below it. */
import { makePair, type Pair } from '../../database/connect/testing.ts'
import { encodePem } from '../../pki/encoding/pem.ts'
import { makeIntermediate, makeRoot } from '../../pki/testing.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { Remaining } from './look.ts'

export interface RootExchange {
  /** The former root is about to be trusted no more. */
  readonly remaining: Remaining
  /** Both, DER. */
  readonly roots: readonly Uint8Array[]
  /** The server's certificate, which is the same in both, with the intermediate as the former root has signed it. */
  readonly withFormer: Pair
  /** … and as the next one has. */
  readonly withNext: Pair
}

export const makeExchange = async (): Promise<RootExchange> => {
  const now = systemClock().now()
  const root = () => makeRoot({ commonName: 'Root', pathLength: 1, now })
  const [former, next] = [await root(), await root()]
  const below = await makeIntermediate(former, 'Below', 0, now)
  const renewed = await makeIntermediate(next, 'Below', 0, now, below.key)
  const pair = await makePair(below, 'Server', ['db.test'])
  const above = (der: Uint8Array): Pair => ({ ...pair, chain: pair.chain + encodePem('CERTIFICATE', der) })
  return {
    remaining: { hash: 'N', of: { next: next.certificate, former: former.certificate } },
    roots: [next.certificate, former.certificate],
    ...{ withFormer: above(below.certificate), withNext: above(renewed.certificate) },
  }
}
