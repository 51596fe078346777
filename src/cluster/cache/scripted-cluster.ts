/** For tests: a Cluster whose lists and watches are played by hand. */
import { ApiError } from '../errors.ts'
import type { Cluster, KubeObject, ListOptions, ObjectList, Resource, WatchEvent, WatchOptions } from '../port.ts'

type Thing = KubeObject

/** One open watch. */
export class ScriptedWatch {
  readonly options: WatchOptions
  closed = false
  readonly #events: (WatchEvent<Thing> | ApiError | 'end')[] = []
  #wake: () => void = () => undefined

  constructor(options: WatchOptions) {
    this.options = options
    options.signal?.addEventListener('abort', () =>
      this.fail(new ApiError({ status: 0, reason: 'Aborted', message: 'aborted' })),
    )
  }

  event(type: 'ADDED' | 'MODIFIED' | 'DELETED', name: string, resourceVersion: string, namespace = 'data'): void {
    this.#push({ type, object: thing(name, resourceVersion, namespace) })
  }

  bookmark(resourceVersion: string, initialEventsEnd = false): void {
    this.#push({ type: 'BOOKMARK', resourceVersion, initialEventsEnd })
  }

  fail(error: ApiError): void {
    this.#push(error)
  }

  end(): void {
    this.#push('end')
  }

  async *stream(): AsyncGenerator<WatchEvent<Thing>> {
    try {
      for (;;) {
        const next = this.#events.shift()
        if (next === 'end') return
        if (next instanceof ApiError) throw next
        if (next) yield next
        else await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      this.closed = true
    }
  }

  #push(item: WatchEvent<Thing> | ApiError | 'end'): void {
    this.#events.push(item)
    this.#wake()
  }
}

export const thing = (name: string, resourceVersion: string, namespace = 'data'): Thing => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name, namespace, uid: `uid-${name}`, resourceVersion },
})

export const things: Resource = { group: '', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true }

export const failure = (status: number, reason: string, more: Partial<ApiError> = {}): ApiError =>
  new ApiError({ status, reason, message: reason, ...more })

export type ListAnswer = ObjectList<Thing> | ApiError

export class ScriptedCluster {
  readonly lists: ListOptions[] = []
  readonly watches: ScriptedWatch[] = []
  /** Taken from the front; the last one serves all further lists. */
  answers: ListAnswer[]

  constructor(...answers: ListAnswer[]) {
    this.answers = answers
  }

  /** The watch opened last. */
  get watch(): ScriptedWatch {
    const last = this.watches.at(-1)
    if (!last) throw new Error('no watch has been opened')
    return last
  }

  get port(): Cluster {
    return {
      list: async (_: Resource, options: ListOptions) => {
        this.lists.push(options)
        const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0]
        if (answer === undefined || answer instanceof ApiError) throw answer ?? new Error('no answer is scripted')
        return answer
      },
      watch: (_: Resource, options: WatchOptions) => {
        const watch = new ScriptedWatch(options)
        this.watches.push(watch)
        return watch.stream()
      },
    } as unknown as Cluster
  }
}
