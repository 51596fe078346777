/** Names that lead to the loopback for the drivers in this process, which have no option for it. */
import dns from 'node:dns'

type Callback = (error: Error | null, address: string | dns.LookupAddress[], family?: number) => void

/** node:net asks dns.lookup anew for each connection. */
export const loopbackNames = (names: ReadonlySet<string>): Disposable => {
  const original = dns.lookup
  const lookup = (host: string, options: dns.LookupOptions | Callback, callback?: Callback): void => {
    if (!names.has(host)) return Reflect.apply(original, dns, [host, options, callback]) as undefined
    const answer = typeof options === 'function' ? options : callback
    const all = typeof options === 'object' && options.all === true
    process.nextTick(() =>
      all ? answer?.(null, [{ address: '127.0.0.1', family: 4 }]) : answer?.(null, '127.0.0.1', 4),
    )
  }
  const ofPromises = dns.promises.lookup
  const promised = (host: string, options: dns.LookupAllOptions): Promise<dns.LookupAddress[]> =>
    names.has(host) ? Promise.resolve([{ address: '127.0.0.1', family: 4 }]) : ofPromises(host, options)
  dns.lookup = lookup as typeof dns.lookup
  // gRPC asks this one, for all addresses.
  dns.promises.lookup = promised as typeof dns.promises.lookup
  return {
    [Symbol.dispose]: () => {
      dns.lookup = original
      dns.promises.lookup = ofPromises
    },
  }
}
