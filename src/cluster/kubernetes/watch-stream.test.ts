import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ApiError } from '../errors.ts'
import type { KubeObject, WatchEvent } from '../port.ts'
import { decodeWatch, LineSplitter, maxLineBytes } from './watch-stream.ts'

const adopt = (object: KubeObject): KubeObject => object

async function* chunksOf(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0
  for (const end of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    yield bytes.subarray(start, end)
    start = end
  }
}

const decode = async (text: string, cuts: readonly number[] = []) => {
  const events: WatchEvent<KubeObject>[] = []
  try {
    for await (const event of decodeWatch(chunksOf(Buffer.from(text), cuts), adopt)) events.push(event)
  } catch (error) {
    return { events, error: error as ApiError }
  }
  return { events, error: undefined }
}

const added = (name: string, version = '1'): string =>
  JSON.stringify({ type: 'ADDED', object: { metadata: { name, resourceVersion: version } } })

describe('a stream of watch events', () => {
  test('is decoded alike however it is cut, inside UTF-8 characters too', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { maxLength: 8 }),
        fc.array(fc.nat(4000), { maxLength: 12 }),
        async (names, places) => {
          const text = names.map((name) => `${added(name)}\n`).join('')
          const size = Buffer.byteLength(text)
          const { events, error } = await decode(text, size === 0 ? [] : places.map((place) => place % size))
          expect(error).toBeUndefined()
          expect(events.map((event) => event.type === 'ADDED' && event.object.metadata.name)).toEqual(names)
        },
      ),
    )
  })

  test('never throws anything but ApiError, whatever the bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 60 })), async (chunks) => {
        async function* source(): AsyncGenerator<Uint8Array> {
          yield* chunks
        }
        try {
          for await (const event of decodeWatch(source(), adopt)) expect(event.type).toBeDefined()
        } catch (error) {
          expect(error).toBeInstanceOf(ApiError)
        }
      }),
    )
  })

  test('takes a line of a mebibyte in small chunks', async () => {
    const name = 'é'.repeat(512 * 1024)
    const text = `${added(name)}\n`
    const cuts = Array.from({ length: 130 }, (_, i) => i * 8191)
    const { events } = await decode(text, cuts)
    expect(events[0]?.type === 'ADDED' && events[0].object.metadata.name === name).toBe(true)
  })

  test('refuses a line without an end', () => {
    const splitter = new LineSplitter()
    const chunk = new Uint8Array(maxLineBytes / 2).fill(0x20)
    splitter.push(chunk)
    splitter.push(chunk)
    expect(() => splitter.push(chunk)).toThrow(ApiError)
  })

  test.each([
    ['garbage', 'not json\n', 'WatchBroken', 0],
    ['a line cut at the end', added('b').slice(0, 30), 'WatchBroken', 0],
    ['null', 'null\n', 'WatchBroken', 0],
    ['an event without an object', '{"type":"ADDED"}\n', 'WatchBroken', 0],
    ['an object without a resourceVersion', '{"type":"ADDED","object":{"metadata":{}}}\n', 'WatchBroken', 0],
    ['an unknown type', '{"type":"X","object":{"metadata":{"resourceVersion":"1"}}}\n', 'WatchBroken', 0],
    ['410', '{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n', 'Expired', 410],
    ['an error without a code', '{"type":"ERROR","object":{}}\n', 'InternalError', 500],
  ])('after good events ends with an error for %s', async (_, text, reason, status) => {
    const { events, error } = await decode(`${added('a')}\n${text}`)
    expect([events.length, error?.reason, error?.status]).toEqual([1, reason, status])
  })

  test('does not quote what it cannot read', async () => {
    const { error } = await decode('{"data":{"tls.key":"hunter2"\n')
    expect(String(error)).not.toContain('hunter2')
  })

  test('tells a bookmark, and the one that ends the first state', async () => {
    const bookmark = (annotations: object): string =>
      `${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '7', annotations } } })}\n`
    const { events } = await decode(`\n${bookmark({})}${bookmark({ 'k8s.io/initial-events-end': 'true' })}`)
    expect(events).toEqual([
      { type: 'BOOKMARK', resourceVersion: '7', initialEventsEnd: false },
      { type: 'BOOKMARK', resourceVersion: '7', initialEventsEnd: true },
    ])
  })
})
