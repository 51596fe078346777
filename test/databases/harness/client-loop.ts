/** A client that opens one connection after the other, as an application without a pool would, and counts how they end. */
import { probe } from '../../../src/database/connect/probe.ts'
import type { ClientCertificate, Target } from '../../../src/database/connect/sight.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { eventually } from '../../controlplane/harness/process.ts'

export interface Count {
  readonly accepted: number
  /** What ended the others, in words. */
  readonly refused: readonly string[]
}

export class ClientLoop implements AsyncDisposable {
  readonly #ended: Promise<void>
  readonly #refused: string[] = []
  #accepted = 0
  #stopped = false

  /** `settings` is asked before each connection, as an application reads its files. It verifies chain and name. */
  constructor(settings: () => { readonly target: Target; readonly certificate: ClientCertificate }) {
    this.#ended = this.#run(settings)
  }

  async #run(settings: () => { readonly target: Target; readonly certificate: ClientCertificate }): Promise<void> {
    while (!this.#stopped) {
      const { target, certificate } = settings()
      const { outcome, alert, fault, problems } = await probe(target, { clock: systemClock(), certificate })
      if (outcome === 'Accepted' && problems?.length === 0) this.#accepted += 1
      else this.#refused.push([outcome, alert, fault?.message, ...(problems ?? [])].filter(Boolean).join(' '))
    }
  }

  get accepted(): number {
    return this.#accepted
  }

  async stop(): Promise<Count> {
    this.#stopped = true
    await this.#ended
    return { accepted: this.#accepted, refused: this.#refused }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** One loop for each of several servers. */
export class ClientLoops implements AsyncDisposable {
  readonly #loops: readonly ClientLoop[]

  /** Answers when each has connected. */
  static async start(...settings: ConstructorParameters<typeof ClientLoop>[0][]): Promise<ClientLoops> {
    const loops = new ClientLoops(settings.map((one) => new ClientLoop(one)))
    await loops.goOn()
    return loops
  }

  private constructor(loops: readonly ClientLoop[]) {
    this.#loops = loops
  }

  /** Waits until each has had a few more connections. */
  async goOn(): Promise<void> {
    for (const loop of this.#loops) {
      const before = loop.accepted
      await eventually('the loop to go on', () => Promise.resolve(loop.accepted > before + 3))
    }
  }

  /** Ends them, and says what was refused to any. */
  async stop(): Promise<readonly string[]> {
    const counts = await Promise.all(this.#loops.map((loop) => loop.stop()))
    return counts.flatMap(({ refused }) => refused)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
