/** What somebody sees who looks at a database of a fleet as its client does. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { probe } from '../../../src/database/connect/probe.ts'
import type { ClientCertificate, Sight } from '../../../src/database/connect/sight.ts'
import { certificatesOf } from '../../../src/pki/encoding/pem.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import type { Member } from './fleet.ts'
import type { MountedPod } from './kubelet.ts'

export const pairOf = ({ volume }: MountedPod): ClientCertificate => ({
  chain: readFileSync(volume.path('tls.crt'), 'utf8'),
  key: readFileSync(volume.path('tls.key'), 'utf8'),
})

/** Each server of it, shown this certificate or that of its client. */
export const look = ({ app, engine, host, ports }: Member, certificate = pairOf(app)): Promise<readonly Sight[]> => {
  const roots = certificatesOf(readFileSync(app.volume.path('ca.crt'), 'utf8'))
  return Promise.all(
    ports.map((port) => {
      const target = { address: '127.0.0.1', port, dialect: engine.dialect, serverName: host, roots }
      return probe(target, { clock: systemClock(), certificate, totalMs: 60_000 })
    }),
  )
}

/** Serial numbers, upper-case hex. */
export const servedBy = async (member: Member): Promise<readonly (string | undefined)[]> =>
  (await look(member)).map(({ served }) => {
    const [leaf] = served?.chain ?? []
    return leaf === undefined ? undefined : new X509Certificate(leaf).serialNumber
  })
