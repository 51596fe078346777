/** Why a server was not made to read its files again. */

export type ReloadReason =
  /** The name has no address, nobody listens, or no way leads there. */
  | 'Unreachable'
  /** It did not answer, or not all of it, in time. */
  | 'TimedOut'
  /** It hung up without saying why. */
  | 'Closed'
  /** It speaks no TLS, so no password is sent to it. */
  | 'TLSOff'
  /** What it shows is not the server that was meant: no trusted CA, another name, out of date. */
  | 'ServerNotVerified'
  /** It wants a client certificate, or not this one. */
  | 'CertificateRefused'
  /** Nobody may log in like that: unknown account, wrong password, or a certificate that is not the account's. */
  | 'LoginRefused'
  /** The account may not run the statement. */
  | 'PrivilegeMissing'
  /** The server ran it and could not use its files, or says something else against it. */
  | 'StatementFailed'
  /** The server is full, starting or stopping. */
  | 'Busy'
  /** What answers does not speak this protocol. */
  | 'WrongProtocol'
  /** The caller's signal. */
  | 'Aborted'

/**
 * `message` is a sentence without a full stop and quotes of the server at most what it says of the statement, cleared of the
 * account's secrets. Never has a cause: drivers keep passwords and keys on their errors.
 */
export class ReloadError extends Error {
  override readonly name = 'ReloadError'
  readonly reason: ReloadReason
  constructor(reason: ReloadReason, message: string) {
    super(message)
    this.reason = reason
  }
}
