/**
 * One connection to one server: TCP, what its protocol wants before TLS, the handshake with or without a client certificate, and
 * the wait for the verdict on that certificate. In TLS 1.3 the client's handshake ends before the server has judged, so first an
 * alert or a session ticket is waited for, and only then is anything sent: a question sent at once would meet a closed socket, whose
 * reset may overtake the alert.
 */

import { servedFrom, servedProblems } from './served.ts'
import type { ProbeOptions, Sight, Target } from './sight.ts'
import { Visit } from './visit.ts'

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
