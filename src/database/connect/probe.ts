/**
 * One connection to one server: TCP, what its protocol wants before TLS, the handshake with or without a client certificate, and
 * the wait for the verdict on that certificate. In TLS 1.3 the client's handshake ends before the server has judged, so first an
 * alert or a session ticket is waited for, and only then is anything sent: a question sent at once would meet a closed socket, whose
 * reset may overtake the alert.
 */

import type { Clock } from '../../runtime/clock.ts'
import type { DialectName } from './dialects/table.ts'
import type { Fault } from './fault.ts'
import { servedFrom, type Served, servedProblems } from './served.ts'
import { Visit } from './visit.ts'

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

/** Never throws and leaves no socket behind. */
export const probe = async (target: Target, options: ProbeOptions): Promise<Sight> => {
  const began = options.clock.monotonic()
  const visit = new Visit(target, options)
  const end = await visit.run()
  const { handshake } = visit
  const served = servedFrom(handshake.certificates, options.known)
  const problems =
    served === undefined || target.roots === undefined
      ? undefined
      : servedProblems(served, {
          roots: target.roots,
          name: target.serverName,
          now: options.clock.now(),
          verdict: visit.verdict,
        })
  return {
    ...end,
    ...(handshake.tlsVersion === undefined ? {} : { tlsVersion: handshake.tlsVersion }),
    ...(served === undefined ? {} : { served }),
    ...(problems === undefined ? {} : { problems }),
    ...(handshake.requested === undefined ? {} : { requested: handshake.requested }),
    acceptableIssuers: handshake.acceptableIssuers,
    offered: handshake.offered,
    resumed: visit.resumed,
    tookMs: options.clock.monotonic() - began,
  }
}
