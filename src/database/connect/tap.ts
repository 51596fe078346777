/** A stream between TLS and its socket that keeps the first bytes of both directions, from which the handshake is read. */

import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

/** A list of every public root is some 15 KB, the longest chains 100 KB. */
const mostKept = 256 * 1024

class Kept {
  readonly #chunks: Buffer[] = []
  #length = 0
  #closed = false

  add(chunk: Buffer): void {
    if (this.#closed) return
    // A chunk that does not fit ends the record: what follows a gap would be misread.
    if (this.#length + chunk.length > mostKept) this.#closed = true
    else {
      // A copy, because the buffer of a write belongs to its writer again afterwards.
      this.#chunks.push(Buffer.from(chunk))
      this.#length += chunk.length
    }
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}

export class Tap extends Duplex {
  readonly #socket: Socket
  readonly #received = new Kept()
  readonly #sent = new Kept()

  /** Takes over a connected socket that nobody reads from. */
  constructor(socket: Socket) {
    super()
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#received.add(chunk)
      // A probe reads little; a server that floods is slowed down by its own socket.
      if (!this.push(chunk)) socket.pause()
    })
    socket.on('end', () => this.push(null))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => {
      // An alert may still lie here unread; it is why the socket was closed.
      if (this.readableLength > 0) this.once('end', () => this.destroy())
      else this.destroy()
    })
  }

  get received(): Buffer {
    return this.#received.bytes()
  }

  get sent(): Buffer {
    return this.#sent.bytes()
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#sent.add(chunk)
    this.#socket.write(chunk, callback)
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.end()
    callback()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#socket.destroy()
    callback(error)
  }
}
