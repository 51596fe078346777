/** Why no TLS came about with a server; nothing is known of its certificate or trust then. */

export type FaultReason =
  /** The name has no address. */
  | 'NameNotFound'
  /** Nobody listens, or no way leads there, or nothing of it is known in time. */
  | 'ConnectFailed'
  /** Connected, and then nothing came in time; of a name, that it could not be looked up. */
  | 'NoAnswer'
  /** The server hung up. */
  | 'Closed'
  /** The server speaks its protocol, and has TLS switched off. */
  | 'TLSOff'
  /** What answers does not speak this protocol. */
  | 'WrongProtocol'
  /** The server turned this client away before TLS: blocked or not allowed from here. */
  | 'Blocked'
  /** The server is full, starting or stopping. */
  | 'Busy'
  /** Any other error of the server. */
  | 'ServerError'
  /** No common version or cipher suite, or the handshake broke in another way before the server showed its certificate. */
  | 'HandshakeFailed'
  /** The caller's signal. */
  | 'Aborted'

export interface Fault {
  readonly reason: FaultReason
  /** A sentence without a full stop. */
  readonly message: string
}

export class FaultError extends Error implements Fault {
  override readonly name = 'FaultError'
  readonly reason: FaultReason
  constructor(reason: FaultReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}
