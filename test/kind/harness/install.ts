/** The operator as people install it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Connection } from '../../controlplane/harness/connection.ts'
import { restrictedNamespace } from './pods.ts'

export const operatorNamespace = 'dbtls'
export const release = 'dbtls'
export const operatorUser = `system:serviceaccount:${operatorNamespace}:${release}`

/** kubelets of these tests look every few seconds instead of every minute (cluster.ts); what waits for a quiet time has less of it here. */
const args = ['--volume-delay=20s', '--sweep-interval=5s']

export const installOperator = async (plane: Connection, image: string): Promise<void> => {
  await plane.apply(JSON.stringify(restrictedNamespace(operatorNamespace)))
  const colon = image.lastIndexOf(':')
  const values = {
    image: { repository: image.slice(0, colon), tag: image.slice(colon + 1), pullPolicy: 'IfNotPresent' },
    rollout: { enabled: true },
    operator: { extraArgs: args },
  }
  const file = join(plane.info.dir, 'values.json')
  writeFileSync(file, JSON.stringify(values))
  const where = ['--namespace', operatorNamespace, '--values', file]
  await plane.helmOk(['install', release, 'charts/dbtls', ...where, '--wait', '--timeout', '5m'])
}
