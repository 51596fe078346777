/** What an application of the client app sees of the server. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { probe } from '../../../src/database/connect/probe.ts'
import type { ClientCertificate, Sight, Target } from '../../../src/database/connect/sight.ts'
import { certificatesOf } from '../../../src/pki/encoding/pem.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { eventually } from '../../controlplane/harness/process.ts'
import type { Stage } from './scenario.ts'

/** As the application reads its files. */
export const clientOf = ({ database, world }: Stage): { target: Target; certificate: ClientCertificate } => {
  const { volume } = world.client('app')
  const read = (key: string): string => readFileSync(volume.path(key), 'utf8')
  const roots = certificatesOf(read('ca.crt'))
  return {
    target: database.target({ serverName: 'orders.data.svc', roots }),
    certificate: { chain: read('tls.crt'), key: read('tls.key') },
  }
}

export const seen = (stage: Stage): Promise<Sight> => {
  const { target, certificate } = clientOf(stage)
  return probe(target, { clock: systemClock(), totalMs: 60_000, certificate })
}

export const servedSerial = async (stage: Stage): Promise<string | undefined> => {
  const [leaf] = (await seen(stage)).served?.chain ?? []
  return leaf === undefined ? undefined : new X509Certificate(leaf).serialNumber
}

export const serves = (stage: Stage, serial: string): Promise<unknown> =>
  eventually(`${stage.scenario.product} to serve ${serial}`, async () => (await servedSerial(stage)) === serial)
