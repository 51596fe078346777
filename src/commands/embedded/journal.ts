/** What `run` and `render` tell a person: one line each, and on a terminal one more line that says how far it is. */
import type { KubeObject } from '../../cluster/port.ts'
import type { Context } from '../../control/context.ts'
import type { Io } from '../shared/io.ts'

type Happening = Parameters<Context['events']['record']>[0]

const clearLine = '\r\u001b[2K'

/** `DatabaseCertificate data/orders` */
export const named = ({ kind, metadata }: KubeObject): string =>
  `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`

const verbs: ReadonlyMap<string, string> = new Map([
  ['Created', 'created'],
  ['Issued', 'issued'],
  ['Renewed', 'renewed'],
  ['Encoding', 're-encoded'],
  ['Repaired', 'repaired'],
  ['Adopted', 'adopted'],
  ['RevocationListIssued', 'listed'],
])

export class Journal {
  readonly #io: Pick<Io, 'stdout' | 'stderr'>
  readonly #counts = new Map<string, number>()
  #progress = ''

  constructor(io: Pick<Io, 'stdout' | 'stderr'>) {
    this.#io = io
  }

  line(verb: string, text: string): void {
    this.#write(this.#io.stdout, `${verb.padEnd(10)} ${text}`)
  }

  /** What somebody has to act on. */
  problem(verb: string, text: string): void {
    this.#write(this.#io.stderr, `${verb.padEnd(10)} ${text}`)
  }

  /** Shown below everything else, on a terminal alone. */
  progress(text: string): void {
    if (!this.#io.stdout.isTTY || text === this.#progress) return
    this.#progress = text
    this.#io.stdout.write(`${clearLine}${text.slice(0, Math.max(this.#io.stdout.columns - 1, 20))}`)
  }

  end(): void {
    if (this.#progress !== '') this.#io.stdout.write('\n')
    this.#progress = ''
  }

  /** Events of the controllers, counted by verb. Warnings come from the conditions, which outlast them. */
  readonly events = {
    record: (happening: Happening): void => {
      if (happening.type === 'Warning') return
      const verb = verbOf(happening)
      this.#counts.set(verb, (this.#counts.get(verb) ?? 0) + 1)
      if (this.#tellsEvents) this.line(verb, `${named(happening.regarding)}: ${happening.note}`)
    },
  }

  #tellsEvents = true

  /** Counts only: a thousand lines tell nobody anything. */
  quiet(): this {
    this.#tellsEvents = false
    return this
  }

  count(verb: string): number {
    return this.#counts.get(verb) ?? 0
  }

  #write(stream: NodeJS.WriteStream, text: string): void {
    // Names and messages come from manifests; a control character among them must not drive the terminal.
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    const safe = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    const progress = this.#progress
    if (progress !== '') this.#io.stdout.write(clearLine)
    stream.write(`${safe}\n`)
    this.#progress = ''
    if (progress !== '') this.progress(progress)
  }
}

const verbOf = ({ reason, regarding }: Happening): string => {
  const { status } = regarding as { status?: { revision?: number } }
  // The object as it was before: one that had a certificate already gets another.
  if (reason === 'Issued' && (status?.revision ?? 0) > 0) return 'renewed'
  // Which phase it is, the message says.
  return verbs.get(reason) ?? (reason.startsWith('Rotation') ? 'rotation' : reason.toLowerCase())
}
