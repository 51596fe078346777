/** How many requests are answered: per client, so that one does not keep the others out, and altogether. */

import { isIPv6 } from 'node:net'

export interface Rate {
  readonly perSecond: number
  /** Requests that may come at once. */
  readonly burst: number
}

export interface RateLimits {
  readonly perClient: Rate
  readonly total: Rate
  /** Clients that are remembered; of more, those that asked longest ago start afresh. */
  readonly clients: number
}

/** A token bucket as one number: the monotonic ms at which it is full again. */
const waitFor = ({ perSecond, burst }: Rate, fullAt: number, now: number): number => {
  const msPerToken = 1000 / perSecond
  return Math.max(0, Math.max(fullAt, now) + msPerToken - burst * msPerToken - now)
}

const afterOneMore = ({ perSecond }: Rate, fullAt: number, now: number): number =>
  Math.max(fullAt, now) + 1000 / perSecond

export class RateLimiter {
  readonly #limits: RateLimits
  /** In the order of the last request. */
  readonly #clients = new Map<string, number>()
  #total = -Infinity

  constructor(limits: RateLimits) {
    this.#limits = limits
  }

  /** 0 where the request is admitted; else ms until one would be. What is refused costs nothing. `now`: monotonic ms. */
  admit(address: string, now: number): number {
    const { perClient, total, clients } = this.#limits
    const client = clientOf(address)
    const own = this.#clients.get(client) ?? -Infinity
    const wait = Math.max(waitFor(perClient, own, now), waitFor(total, this.#total, now))
    if (wait > 0) return wait
    this.#total = afterOneMore(total, this.#total, now)
    this.#clients.delete(client)
    this.#clients.set(client, afterOneMore(perClient, own, now))
    if (this.#clients.size > clients) this.#clients.delete(this.#clients.keys().next().value ?? client)
    return 0
  }

  /** Clients that are remembered. */
  get size(): number {
    return this.#clients.size
  }
}

/** An IPv4 address; of an IPv6 address its first 64 bits, because a host has all of the rest to itself. */
export const clientOf = (address: string): string => {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const [plain = ''] = address.split('%', 1)
  if (!isIPv6(plain)) return address
  const [head = '', tail] = plain.split('::', 2)
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  // A dotted IPv4 address at the end stands for two groups.
  const rightGroups = right.length + (right.at(-1)?.includes('.') === true ? 1 : 0)
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - rightGroups)
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...right].slice(0, 4)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}
