/** The I/O of one probe. */

import { connect, isIP, type Socket } from 'node:net'
import {
  connect as connectTls,
  createSecureContext,
  type DetailedPeerCertificate,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import { encodePem } from '../../pki/encoding/pem.ts'
import type { Answer, Dialect } from './dialects/dialect.ts'
import { dialects } from './dialects/table.ts'
import { type Fault, FaultError } from './fault.ts'
import { type Handshake, readHandshake } from './handshake.ts'
import type { ProbeOptions, Sight, Target } from './sight.ts'
import { Tap } from './tap.ts'
import { WireError } from './wire.ts'

export const usualTotalMs = 10_000
/** An answer longer than this is cut off. */
const mostAnswerBytes = 16 * 1024
/** How long an orderly end may take, ms. */
const farewellMs = 200

type End = Pick<Sight, 'outcome' | 'fault' | 'alert' | 'answer'>

export class Visit {
  readonly #target: Target
  readonly #options: ProbeOptions
  readonly #dialect: Dialect
  readonly #deadline: number
  #socket: Socket | undefined
  #tap: Tap | undefined
  #tls: TLSSocket | undefined
  #wake: () => void = () => undefined
  #memory: string | undefined
  #handshake: Handshake | undefined
  readonly #secrets = new Map<string, Buffer>()
  #heard = Buffer.alloc(0)
  #connected = false
  #secured = false
  #ticket = false
  #ended = false
  #alert: number | undefined
  #error: NodeJS.ErrnoException | undefined
  /** See Expected.verdict. */
  verdict: string | null | undefined
  resumed = false

  constructor(target: Target, options: ProbeOptions) {
    this.#target = target
    this.#options = options
    this.#dialect = dialects[target.dialect]
    this.#deadline = options.clock.monotonic() + (options.totalMs ?? usualTotalMs)
  }

  async run(): Promise<End> {
    const { signal } = this.#options
    const onAbort = (): void => this.#wake()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await this.#connect()
      await this.#preamble()
      return await this.#talk()
    } catch (error) {
      if (error instanceof FaultError) return failed(error)
      if (error instanceof WireError) return failed({ reason: 'WrongProtocol', message: error.message })
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      await this.#close()
    }
  }

  /** What was said so far. */
  get handshake(): Handshake {
    this.#handshake ??= readHandshake({
      received: this.#tap?.received ?? Buffer.alloc(0),
      sent: this.#tap?.sent ?? Buffer.alloc(0),
      serverSecret: this.#secrets.get('SERVER_HANDSHAKE_TRAFFIC_SECRET'),
      // Without a certificate there is nothing to see in our own flight.
      clientSecret:
        this.#options.certificate === undefined ? undefined : this.#secrets.get('CLIENT_HANDSHAKE_TRAFFIC_SECRET'),
    })
    return this.#handshake
  }

  get #over(): boolean {
    return this.#ended || this.#alert !== undefined || this.#error !== undefined
  }

  /** Waits until `happened`, or `atMost` ms or the deadline have passed, and says whether it did. Throws when called off. */
  async #until(happened: () => boolean, atMost = Infinity): Promise<boolean> {
    const { clock, signal } = this.#options
    const end = Math.min(this.#deadline, clock.monotonic() + atMost)
    for (;;) {
      if (signal?.aborted) throw new FaultError('Aborted', 'the probe was called off')
      if (happened()) return true
      const left = end - clock.monotonic()
      if (left <= 0) return false
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(left, resolve)
        this.#wake = () => {
          timer.cancel()
          resolve()
        }
      })
    }
  }

  async #connect(): Promise<void> {
    const { address: host, port } = this.#target
    const { localAddress, connectMs = 3000 } = this.#options
    const socket = connect({ host, port, noDelay: true, ...(localAddress === undefined ? {} : { localAddress }) })
    this.#socket = socket
    socket.once('connect', () => {
      this.#connected = true
      this.#wake()
    })
    socket.on('error', (error) => {
      this.#error ??= error
      this.#wake()
    })
    socket.on('close', () => {
      this.#ended = true
      this.#wake()
    })
    const happened = await this.#until(() => this.#connected || this.#over, connectMs)
    if (this.#error !== undefined) throw connectFault(this.#error)
    if (!happened) throw new FaultError('ConnectFailed', `nobody answered the connection within ${connectMs} ms`)
  }

  async #preamble(): Promise<void> {
    const { preamble } = this.#dialect
    const socket = this.#socket
    if (preamble === undefined || socket === undefined) return
    let said = Buffer.alloc(0)
    let greeted: ReturnType<typeof preamble.read>
    let broken: unknown
    const onData = (chunk: Buffer): void => {
      said = Buffer.concat([said, chunk.subarray(0, preamble.mostBytes + 1 - said.length)])
      try {
        greeted = preamble.read(said)
      } catch (error) {
        broken = error
      }
      if (greeted !== undefined || broken !== undefined || said.length > preamble.mostBytes) socket.pause()
      this.#wake()
    }
    const onEnd = (): void => {
      this.#ended = true
      this.#wake()
    }
    socket.on('data', onData)
    socket.once('end', onEnd)
    if (preamble.opening !== undefined) socket.write(preamble.opening)
    const over = (): boolean => said.length > preamble.mostBytes || this.#over
    await this.#until(() => greeted !== undefined || broken !== undefined || over())
    socket.off('data', onData)
    socket.off('end', onEnd)
    if (broken !== undefined) throw broken
    if (greeted === undefined) throw this.#silence(said, preamble.mostBytes)
    if (greeted.length < said.length)
      throw new FaultError('WrongProtocol', 'the server sent bytes in the clear after it had agreed to TLS')
    this.#memory = greeted.memory
    if (greeted.reply !== undefined) socket.write(greeted.reply)
  }

  #silence(said: Buffer, mostBytes: number): FaultError {
    if (said.length > mostBytes) return new FaultError('WrongProtocol', 'the server says too much before TLS')
    const much = said.length === 0 ? 'a word' : `more than ${said.length} bytes`
    if (this.#over) return new FaultError('Closed', `the server hung up before it had said ${much}`)
    return new FaultError('NoAnswer', `the server did not say ${much} before TLS in time`)
  }

  #startTls(socket: Socket): TLSSocket {
    const { serverName, roots = nobody } = this.#target
    const { certificate, tlsVersion } = this.#options
    const tap = new Tap(socket)
    this.#tap = tap
    const tls = connectTls({
      socket: tap,
      secureContext: contextOf(roots, certificate, tlsVersion),
      // Judged afterwards: a refusal here would hide the server's verdict on us.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      // No `session` is ever given: a resumed one proves nothing.
      ...(serverName === undefined || isIP(serverName) !== 0 ? {} : { servername: serverName.replace(/\.$/, '') }),
      ...(this.#dialect.alpn === undefined ? {} : { ALPNProtocols: [...this.#dialect.alpn] }),
    })
    // Node spells the certificate out for the check of its names, which is made elsewhere; it is a tenth of a probe.
    tls.getPeerCertificate = () => noCertificate
    return tls
  }

  #listen(tls: TLSSocket): void {
    const notice = (change: () => void) => (): void => {
      change()
      this.#wake()
    }
    tls.on('keylog', (line: Buffer) => {
      const [label = '', , secret = ''] = line.toString('latin1').trim().split(' ')
      if (label.endsWith('_HANDSHAKE_TRAFFIC_SECRET')) this.#secrets.set(label, Buffer.from(secret, 'hex'))
    })
    tls.on(
      'secureConnect',
      notice(() => (this.#secured = true)),
    )
    tls.on(
      'session',
      notice(() => (this.#ticket = true)),
    )
    tls.on(
      'end',
      notice(() => (this.#ended = true)),
    )
    tls.on(
      'close',
      notice(() => (this.#ended = true)),
    )
    tls.on('data', (chunk: Buffer) => {
      this.#heard = Buffer.concat([this.#heard, chunk])
      if (this.#heard.length >= mostAnswerBytes) tls.pause()
      this.#wake()
    })
    tls.on('error', (error: NodeJS.ErrnoException) => {
      // The code differs between versions of OpenSSL; the number does not.
      const alert = /SSL alert number ([0-9]+)/.exec(error.message)?.[1]
      if (alert === undefined) this.#error ??= error
      else this.#alert ??= Number(alert)
      this.#wake()
    })
  }

  async #talk(): Promise<End> {
    const socket = this.#socket
    if (socket === undefined) throw new Error('a visit talks after it has connected')
    const tls = this.#startTls(socket)
    this.#tls = tls
    this.#listen(tls)
    await this.#until(() => this.#secured || this.#over)
    if (this.#secured) {
      this.verdict = verdictOf(tls)
      this.resumed = tls.isSessionReused()
    }
    const { requested, tlsVersion } = this.handshake
    if (!this.#secured) return this.#notSecured()
    const settled = tlsVersion === 'TLSv1.2' || requested === false
    if (!settled) await this.#until(() => this.#ticket || this.#over, this.#options.graceMs ?? 300)
    const answer = await this.#question(tls, settled || this.#ticket)
    const words = answer === undefined ? {} : { answer: answer.words }
    if (answer?.proves === true) return { outcome: 'Accepted', ...words }
    if (this.#over) return { outcome: 'Refused', ...this.#withAlert(), ...words }
    if (answer !== undefined || !(settled || this.#ticket)) return { outcome: 'Unclear', ...words }
    return { outcome: 'Accepted' }
  }

  async #question(tls: TLSSocket, known: boolean): Promise<Answer | undefined> {
    const { question } = this.#dialect
    if (question === undefined || this.#over || (known && question.always !== true)) return undefined
    const { user = 'dbtls_probe', serverName = '' } = this.#target
    tls.write(question.ask({ user, serverName, memory: this.#memory }))
    let answer: Answer | undefined
    const read = (): boolean => {
      answer = question.read(this.#heard)
      return answer !== undefined || this.#over || this.#heard.length >= mostAnswerBytes
    }
    try {
      await this.#until(read)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      return { words: error.message, proves: false }
    }
    if (answer?.farewell !== undefined && !this.#over) tls.write(answer.farewell)
    return answer
  }

  #withAlert(): Pick<End, 'alert'> {
    return this.#alert === undefined ? {} : { alert: this.#alert }
  }

  #notSecured(): End {
    const shown = this.handshake.certificates.length > 0
    if (shown && this.#over) return { outcome: 'Refused', ...this.#withAlert() }
    if (shown) return { outcome: 'Unclear' }
    return { ...failed(this.#handshakeFault()), ...this.#withAlert() }
  }

  #handshakeFault(): Fault {
    if (this.#alert !== undefined)
      return {
        reason: 'HandshakeFailed',
        message: `the server ended the handshake with alert ${this.#alert}${alertWords(this.#alert)} before it showed a certificate`,
      }
    const code = this.#error?.code ?? ''
    if (code.startsWith('ERR_SSL_')) {
      const notTls = /WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST|RECORD|BAD_PROTOCOL/.test(code)
      return notTls
        ? { reason: 'WrongProtocol', message: 'what answers does not speak TLS' }
        : { reason: 'HandshakeFailed', message: `the handshake broke: ${code.slice('ERR_SSL_'.length)}` }
    }
    if (this.#over) return { reason: 'Closed', message: 'the server hung up in the handshake' }
    return { reason: 'NoAnswer', message: 'the server did not finish the handshake in time' }
  }

  async #close(): Promise<void> {
    const socket = this.#socket
    if (socket === undefined) return
    const { clock, signal } = this.#options
    if (this.#secured && !this.#over && signal?.aborted !== true) {
      this.#tls?.end()
      this.#tls?.resume()
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(farewellMs, resolve)
        socket.once('close', () => {
          timer.cancel()
          resolve()
        })
        if (socket.closed) resolve()
      })
    }
    this.#tls?.destroy()
    this.#tap?.destroy()
    if (socket.closed) return
    // Whoever waits for the probe may count sockets afterwards.
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve())
      socket.destroy()
    })
  }
}

const nobody: readonly Uint8Array[] = []
const noCertificate = {} as DetailedPeerCertificate

/** Reading roots costs as much as the rest of a probe: who hands in the same list again finds them read. It holds no key. */
const contexts = new WeakMap<readonly Uint8Array[], SecureContext>()

const contextOf = (
  roots: readonly Uint8Array[],
  certificate: ProbeOptions['certificate'],
  tlsVersion: ProbeOptions['tlsVersion'],
): SecureContext => {
  const isUsual = certificate === undefined && tlsVersion === undefined
  const known = isUsual ? contexts.get(roots) : undefined
  if (known !== undefined) return known
  const made = createSecureContext({
    // An empty list means nobody; without the option Node would load its own roots.
    ca: roots.map((root) => encodePem('CERTIFICATE', root)),
    minVersion: tlsVersion ?? 'TLSv1.2',
    maxVersion: tlsVersion ?? 'TLSv1.3',
    ...(certificate === undefined ? {} : { cert: certificate.chain, key: certificate.key }),
  })
  if (isUsual) contexts.set(roots, made)
  return made
}

const failed = ({ reason, message }: Fault): End => ({ outcome: 'Failed', fault: { reason, message } })

const verdictOf = (tls: TLSSocket): string | null => {
  if (tls.authorized) return null
  // A text in spite of its type: the code of the failure.
  const error: unknown = tls.authorizationError
  return error instanceof Error ? error.message : String(error)
}

const connectFault = (error: NodeJS.ErrnoException): FaultError => {
  const code = error.code ?? 'an unknown error'
  return new FaultError('ConnectFailed', `the connection was not made (${code})`, { cause: error })
}

const alertWords = (alert: number): string => {
  if (alert === 70) return ' (protocol_version: it knows neither TLS 1.2 nor 1.3)'
  if (alert === 40) return ' (handshake_failure: no common cipher suite, or the name is unknown)'
  return alert === 112 ? ' (unrecognized_name)' : ''
}
