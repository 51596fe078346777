/** A reader that polls nothing and misses nothing: every version of every Secret of a namespace, judged as it was seen. */
import type { Api, SecretThing } from './api.ts'
import { leafOf, problemsOf } from './material.ts'

export interface Version {
  readonly secret: SecretThing
  /** Undefined when it holds no certificate in tls.crt. */
  readonly serial: string | undefined
  /** ms since the epoch. */
  readonly seenAt: number
}

export interface RecorderOptions {
  /** Of the keystores, where the Secret does not hold it. */
  readonly password?: string
  /** Names of Secrets that the test itself spoils. */
  readonly unjudged?: ReadonlySet<string>
}

export class Recorder {
  readonly versions: Version[] = []
  readonly #stopping = new AbortController()
  readonly #following: Promise<void>
  readonly #verdicts: Promise<string[]>[] = []
  readonly #last = new Map<string, number>()
  readonly #options: RecorderOptions

  constructor(api: Api, namespace: string, options: RecorderOptions = {}) {
    this.#options = options
    this.#following = api.follow<SecretThing>('secrets', namespace, this.#stopping.signal, ({ type, object }) => {
      if (type === 'ADDED' || type === 'MODIFIED') this.#saw(object)
    })
  }

  #saw(secret: SecretThing): void {
    const { name, resourceVersion, annotations = {} } = secret.metadata
    if (!annotations['dbtls.dev/owner']?.startsWith('DatabaseCertificate/')) return
    // After a broken connection the present state is listed again.
    if (this.of(name).some((one) => one.secret.metadata.resourceVersion === resourceVersion)) return
    const seenAt = Date.now()
    this.versions.push({ secret, serial: serialOrNothing(secret), seenAt })
    if (this.#options.unjudged?.has(name) !== true) this.#verdicts.push(this.#judge(secret, seenAt))
  }

  async #judge(secret: SecretThing, seenAt: number): Promise<string[]> {
    const at = `Secret ${secret.metadata.name} version ${secret.metadata.resourceVersion}`
    try {
      const problems = await problemsOf(secret, this.#options.password, seenAt)
      const begins = Date.parse(leafOf(secret).validFrom)
      if (begins < (this.#last.get(secret.metadata.uid) ?? 0)) problems.push('it is older than the version before it')
      this.#last.set(secret.metadata.uid, begins)
      return problems.map((problem) => `${at}: ${problem}`)
    } catch (error) {
      return [`${at}: ${String(error)}`]
    }
  }

  /** Versions of one Secret in the order in which they were seen. */
  of(name: string): Version[] {
    return this.versions.filter(({ secret }) => secret.metadata.name === name)
  }

  /** Every serial number that ever reached a Secret. */
  serials(): Set<string> {
    return new Set(this.versions.flatMap(({ serial }) => serial ?? []))
  }

  /** What was wrong with the versions seen so far, one sentence each. */
  async problems(): Promise<string[]> {
    return (await Promise.all(this.#verdicts)).flat()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#following
  }
}

const serialOrNothing = (secret: SecretThing): string | undefined => {
  try {
    return leafOf(secret).serialNumber
  } catch {
    return undefined
  }
}
