/** A client that opens one connection after the other, as an application without a pool would, and counts how they end. */
import { type ClientCertificate, probe, type Target } from '../../../src/database/connect/probe.ts'
import { systemClock } from '../../../src/runtime/clock.ts'

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
