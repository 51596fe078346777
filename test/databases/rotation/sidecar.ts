/** A container beside a server that the operator cannot tell anything: it has the server read its files whenever they have changed. */

export class Sidecar {
  readonly #reload: () => Promise<void>
  #wanted = false
  #running: Promise<void> | undefined
  /** What went wrong, in words; the next change tries again. */
  readonly failures: string[] = []

  constructor(reload: () => Promise<void>) {
    this.#reload = reload
  }

  /** One at a time; a change meanwhile is a reason for another one. */
  kick(): void {
    this.#wanted = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async idle(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#wanted) {
      this.#wanted = false
      try {
        await this.#reload()
      } catch (error) {
        this.failures.push(String(error))
      }
    }
  }
}
