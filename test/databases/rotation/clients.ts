/** A process of clients that open one connection after the other, as applications without a pool do. Told of them by its parent, whom it tells how each ended. */
import { setTimeout as sleep } from 'node:timers/promises'
import { loopbackNames } from '../harness/loopback-names.ts'
import { connect, type Settings } from './attempt.ts'
import { publishedPorts } from './ports-file.ts'

export interface Client extends Settings {
  readonly name: string
  /** A file of a JSON list: ports of the servers that stand behind the name now, in any order. */
  readonly ports: string
  /** From the beginning of a connection to that of the next, ms, where the former is done by then. */
  readonly everyMs: number
}

/** Number of the client; when it ended, ms since the epoch; how long it took, ms; why it was refused. */
export type Ended = readonly [client: number, at: number, tookMs: number, refused?: string]

const batchMs = 200

const ended: Ended[] = []
const stopping = new AbortController()
const names = new Set<string>()

const wordsOf = (error: unknown): string => {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string }
  return [code, message].filter((part) => part !== undefined && part !== '').join(' ') || String(error)
}

const run = async (client: Client, index: number): Promise<void> => {
  names.add(client.host)
  for (let turn = 0; !stopping.signal.aborted; turn += 1) {
    const began = performance.now()
    let refused: string | undefined
    try {
      const ports = publishedPorts(client.ports)
      const port = ports[turn % ports.length]
      if (port === undefined) throw new Error('no server stands behind the name')
      await connect(client, port)
    } catch (error) {
      refused = wordsOf(error).slice(0, 300)
    }
    const tookMs = performance.now() - began
    ended.push(refused === undefined ? [index, Date.now(), tookMs] : [index, Date.now(), tookMs, refused])
    const waitMs = Math.max(0, client.everyMs - tookMs)
    await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined)
  }
}

const flush = (): void => {
  if (ended.length > 0) process.send?.(ended.splice(0))
}

process.once('message', (clients) => {
  loopbackNames(names)
  const timer = setInterval(flush, batchMs)
  // The second message ends it; the channel closes where the parent is gone.
  process.once('message', () => stopping.abort())
  process.once('disconnect', () => process.exit(1))
  void Promise.all((clients as readonly Client[]).map(run)).then(() => {
    clearInterval(timer)
    flush()
    process.disconnect()
    process.exit(0)
  })
})
