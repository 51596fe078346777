/** Reads bytes that somebody else wrote: every step is checked against the end. */

export class WireError extends Error {
  override readonly name = 'WireError'
}

export class WireReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  /** The next `length` bytes as a view. Throws WireError where there are fewer. */
  take(length: number): Buffer {
    if (length > this.left) throw new WireError(`${length} bytes are announced and ${this.left} are there`)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** A big-endian number of 1 to 4 bytes. */
  number(length: number): number {
    return this.take(length).readUIntBE(0, length)
  }

  /** A little-endian number of 1 to 4 bytes. */
  numberLE(length: number): number {
    return this.take(length).readUIntLE(0, length)
  }

  /** Bytes behind their big-endian length, which is a number of `lengthBytes` bytes. */
  vector(lengthBytes: number): Buffer {
    return this.take(this.number(lengthBytes))
  }

  /** Text up to a NUL, which is passed over, or to the end. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at)
    const text = this.take((end < 0 ? this.#bytes.length : end) - this.#at).toString('latin1')
    if (end >= 0) this.#at += 1
    return text
  }

  rest(): Buffer {
    return this.take(this.left)
  }
}

/** A server's own words for a message: one line, printable, short. */
export const printable = (bytes: Uint8Array, most = 200): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, most))
    .toString('latin1')
    .replace(/[^ -~]+/g, ' ')
    .trim()
