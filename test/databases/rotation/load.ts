/** Clients of several databases in one process, and how each of their connections ended, by the phase in which it did. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { eventually, type Reaper } from '../../controlplane/harness/process.ts'
import type { Client, Ended } from './clients.ts'

const program = fileURLToPath(new URL('clients.ts', import.meta.url))

/** What two clocks may differ in what they call now, ms. */
const clockMs = 5

interface Connection {
  readonly client: string
  /** When it ended, ms since the epoch. */
  readonly at: number
  readonly tookMs: number
  readonly refused?: string
}

export interface Tally {
  readonly taken: number
  /** What ended the others, in words, with the time. */
  readonly refused: readonly string[]
  /** The longest, ms. */
  readonly slowestMs: number
}

export class Load implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #clients: readonly Client[]
  readonly #connections: Connection[] = []
  readonly #closed: Promise<unknown>
  #isOver = false

  constructor(clients: readonly Client[], reaper: Reaper) {
    this.#clients = clients
    // Without what vitest tells its own workers.
    this.#child = fork(program, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#closed = once(this.#child, 'close')
    if (this.#child.pid !== undefined) reaper.watch(this.#child.pid)
    this.#child.on('message', (batch) => {
      for (const [client, at, tookMs, refused] of batch as readonly Ended[])
        this.add(clients[client]?.name ?? '', at, tookMs, refused)
    })
    this.#child.send(clients)
  }

  /** Of a client that runs elsewhere. */
  add(client: string, at: number, tookMs: number, refused: string | undefined): void {
    this.#connections.push({ client, at, tookMs, ...(refused === undefined ? {} : { refused }) })
  }

  /** Everybody who has connected, and those that are to. */
  get names(): readonly string[] {
    return [...new Set([...this.#clients.map(({ name }) => name), ...this.#connections.map(({ client }) => client)])]
  }

  /** Between two times, ms since the epoch; `until` is not in it. */
  tally(client: string, since = 0, until = Infinity): Tally {
    const found = this.#connections.filter((one) => one.client === client && one.at >= since && one.at < until)
    return {
      taken: found.filter(({ refused }) => refused === undefined).length,
      refused: found.flatMap(({ at, refused }) =>
        refused === undefined ? [] : [`${new Date(at).toISOString().slice(11, 23)} ${refused}`],
      ),
      slowestMs: Math.max(0, ...found.map(({ tookMs }) => tookMs)),
    }
  }

  /** Until each client, or each of these, has connected so many times more. */
  async goOn(more = 5, names: readonly string[] = this.#clients.map(({ name }) => name)): Promise<void> {
    const since = Date.now()
    for (const name of names)
      await eventually(
        `client ${name} to connect ${more} times`,
        async () => {
          const { taken, refused } = this.tally(name, since)
          if (taken < more && refused.length > 0) throw new Error(`${refused[0]} … ${refused.at(-1)}`)
          return taken >= more
        },
        { timeoutMs: 120_000 },
      )
  }

  /** Until this client has connected so many times since then, ms since the epoch; rejects when it was refused. */
  async opened(name: string, least: number, since: number): Promise<void> {
    await eventually(
      `client ${name} to have connected ${least} times`,
      () => Promise.resolve(this.tally(name, since).taken >= least),
      { timeoutMs: 600_000, giveUp: () => this.tally(name, since).refused[0] },
    )
  }

  /** Until no connection of this client is under way that began before now: it has one at a time. */
  async passed(name: string): Promise<void> {
    const since = Date.now() + clockMs
    await eventually(
      `client ${name} to have done with its connection`,
      () =>
        Promise.resolve(
          this.#isOver || this.#connections.some(({ client, at, tookMs }) => client === name && at - tookMs > since),
        ),
      { timeoutMs: 180_000 },
    )
  }

  /** Until each of them was refused. */
  async refused(names: readonly string[], since: number): Promise<void> {
    for (const name of names)
      await eventually(
        `client ${name} to be refused`,
        () => Promise.resolve(this.tally(name, since).refused.length > 0),
        { timeoutMs: 180_000 },
      )
  }

  /** Answers when the last connections have ended. */
  async stop(): Promise<void> {
    this.#isOver = true
    if (this.#child.connected) this.#child.send('stop')
    await this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
