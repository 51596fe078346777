/** What is asked of a server, and what is seen of it. */

import type { Clock } from '../../runtime/clock.ts'
import type { DialectName } from './dialects/table.ts'
import type { Fault } from './fault.ts'
import type { Served } from './served.ts'

export interface Target {
  /** An address; names are resolved before, since one name may stand for many servers. */
  readonly address: string
  readonly port: number
  readonly dialect: DialectName
  /** Sent as SNI and verified. Absent: neither. */
  readonly serverName?: string | undefined
  /** DER of the CAs that clients trust. Absent: the served certificate is not judged. */
  readonly roots?: readonly Uint8Array[] | undefined
  /** Named where the protocol needs a login; it need not exist. Default `dbtls_probe`. */
  readonly user?: string | undefined
}

/** PEM. */
export interface ClientCertificate {
  readonly chain: string
  readonly key: string
}

export interface ProbeOptions {
  readonly clock: Clock
  readonly certificate?: ClientCertificate | undefined
  readonly tlsVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  /** Until the socket is connected, ms. Default 3000. */
  readonly connectMs?: number | undefined
  /** For all of it, ms. Default 10000. */
  readonly totalMs?: number | undefined
  /** How long a server of TLS 1.3 may think before it is asked, ms; longer than a round trip. Default 300. */
  readonly graceMs?: number | undefined
  /** Address to connect from, on a machine with several. */
  readonly localAddress?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** What this server served the last time: the same bytes are not read again. */
  readonly known?: Served | undefined
}

/**
 * Accepted: the server took the connection (with the certificate, where one was offered). Refused: it ended it after it had shown
 * its own certificate. Unclear: neither in time. Failed: no TLS came about, see `fault`.
 */
export type Outcome = 'Accepted' | 'Refused' | 'Unclear' | 'Failed'

export interface Sight {
  readonly outcome: Outcome
  readonly fault?: Fault
  /** Number of the TLS alert that ended it (RFC 8446 §6). */
  readonly alert?: number
  readonly tlsVersion?: string
  readonly served?: Served
  /** Why clients would refuse the served certificate; empty where they take it, absent where nothing says what they trust. */
  readonly problems?: readonly string[]
  /** The server asked for a client certificate; absent where that is not known. */
  readonly requested?: boolean
  /** DER Names of the CAs that the server names in its request; many servers name none. A hint, no proof. */
  readonly acceptableIssuers: readonly Uint8Array[]
  /** Our certificate was really sent. */
  readonly offered: boolean
  /** A resumed session: the server verified nothing. */
  readonly resumed: boolean
  /** The server's answer to the question, in a few words. */
  readonly answer?: string
  readonly tookMs: number
}
