/** What one server is told, by whom, and what a driver is. */

import { createConnection, Socket } from 'node:net'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import type { ClientCertificate } from '../connect/sight.ts'

export interface Account {
  /** Absent: the engine's account without a name, or the one that the certificate is. */
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly certificate?: ClientCertificate | undefined
  /** Where the engine logs in to one. */
  readonly database?: string | undefined
}

export interface Order {
  /** An address; names are resolved before, since one name may stand for many servers. */
  readonly address: string
  readonly port: number
  /** Name or address that the server's certificate is verified for. */
  readonly serverName: string
  /** PEM of the CAs to trust; with none nobody is. */
  readonly roots: readonly string[]
  readonly account: Account
  /** In the engine's own language, on one connection, in this order. */
  readonly statements: readonly string[]
}

/**
 * Connects with full verification, logs in and runs the statements. Leaves no connection behind, however it ends. Rejects with
 * ReloadError for what it knows, or with whatever its package throws, which `fault.ts` then puts in words; rejects soon after the
 * signal.
 */
export type Driver = (order: Order, signal: AbortSignal) => Promise<void>

/** TLS as every driver is to speak it; a new object each time, since drivers change what they are given. */
export const tlsOptions = ({ roots, serverName, account: { certificate } }: Order) => ({
  // An empty list means nobody; without the option Node would load its own roots.
  ca: [...roots],
  rejectUnauthorized: true,
  // What was dialled is an address, and the certificate is for a name.
  checkServerIdentity: (_: string, shown: PeerCertificate) => checkServerIdentity(serverName, shown),
  minVersion: 'TLSv1.2' as const,
  ...(certificate === undefined ? {} : { cert: certificate.chain, key: certificate.key }),
})

/**
 * A connection to the order's address, for mysql2, which knows no check but Node's own, and hands it a name and never an address:
 * that one Node looks for on the socket, and takes "localhost" where there is none.
 */
export const dial = ({ address, port, serverName }: Order): Socket =>
  Object.assign(createConnection({ host: address, port, noDelay: true }), { _host: serverName })

/** The same for drivers that call `connect` themselves. */
export class DialledSocket extends Socket {
  readonly #to: { readonly host: string; readonly port: number }
  constructor({ address, port }: Order) {
    super()
    this.#to = { host: address, port }
  }
  override connect(): this {
    return super.connect(this.#to)
  }
}

/** Settles as `work` does, or rejects with the signal's reason. */
export const unlessAborted = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
