/** The body of a watch: one JSON object a line, `{"type": …, "object": …}`, for as long as the server likes. */
import { ApiError } from '../errors.ts'
import type { KubeObject, WatchEvent } from '../port.ts'
import { statusError } from './status.ts'

/** An object is at most 3 MiB in a request and 1.5 MiB in etcd; anything far beyond is not a watch event. */
export const maxLineBytes = 32 * 1024 * 1024

const newline = 0x0a

/**
 * Cuts a byte stream into lines. Bytes, not text, are kept between chunks, so that a chunk may end inside a UTF-8
 * character; 0x0a never occurs inside one.
 */
export class LineSplitter {
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  /** The lines that `chunk` completes, without their newline. Throws ApiError for a line beyond `maxLineBytes`. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = []
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      lines.push(this.#take(chunk.subarray(start, end)))
      start = end + 1
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
    return lines
  }

  /** What follows the last newline; empty when the stream ended cleanly. */
  rest(): string {
    return this.#take(new Uint8Array(0))
  }

  #keep(part: Uint8Array): void {
    this.#pending.push(part)
    this.#pendingBytes += part.length
    if (this.#pendingBytes > maxLineBytes) throw broken('a line of the watch is longer than 32 MiB')
  }

  #take(last: Uint8Array): string {
    if (this.#pending.length === 0) return utf8(last)
    const whole = Buffer.concat([...this.#pending, last])
    this.#pending = []
    this.#pendingBytes = 0
    return utf8(whole)
  }
}

const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')

/** The stream cannot be trusted any further; resuming at the last resourceVersion loses nothing. */
const broken = (message: string): ApiError => new ApiError({ status: 0, reason: 'WatchBroken', message })

/**
 * Decodes the chunks of a watch. Throws ApiError: the one of an ERROR event (410 Expired among them), or `WatchBroken`
 * for garbage and for a line cut off at the end. Objects are handed to `adopt`, which fills in what the server leaves out.
 */
export async function* decodeWatch<T extends KubeObject>(
  chunks: AsyncIterable<Uint8Array>,
  adopt: (object: T) => T,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const splitter = new LineSplitter()
  for await (const chunk of chunks) {
    for (const line of splitter.push(chunk)) if (line.trim() !== '') yield decodeEvent(line, adopt)
  }
  const rest = splitter.rest()
  if (rest.trim() !== '') yield decodeEvent(rest, adopt)
}

interface RawEvent {
  readonly type?: unknown
  readonly object?: { readonly metadata?: { readonly resourceVersion?: unknown; readonly annotations?: unknown } }
}

export const decodeEvent = <T extends KubeObject>(line: string, adopt: (object: T) => T): WatchEvent<T> => {
  let event: RawEvent
  try {
    event = JSON.parse(line) as RawEvent
  } catch {
    // The parser's message quotes the text, which may be a Secret.
    throw broken('the watch sent something that is not JSON, or was cut inside an event')
  }
  const object = event?.object
  if (typeof object !== 'object' || object === null) throw broken('the watch sent an event without an object')
  if (event.type === 'ERROR') throw statusError(object, { fallbackStatus: 500, what: 'watch' })
  const version = object.metadata?.resourceVersion
  if (typeof version !== 'string' || version === '') throw broken('the watch sent an event without a resourceVersion')
  if (event.type === 'BOOKMARK') {
    const annotations = object.metadata?.annotations as Record<string, string> | undefined
    const initialEventsEnd = annotations?.['k8s.io/initial-events-end'] === 'true'
    return { type: 'BOOKMARK', resourceVersion: version, initialEventsEnd }
  }
  if (event.type === 'ADDED' || event.type === 'MODIFIED' || event.type === 'DELETED')
    return { type: event.type, object: adopt(object as unknown as T) }
  throw broken('the watch sent an event of an unknown type')
}
