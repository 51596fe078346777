/** Which objects `run` and `render` hand out, and what of them. */
import type { KubeObject } from '../../cluster/port.ts'
import { marks } from '../../control/context.ts'
import type { ConfigMap, Secret } from '../../resources/core.ts'
import type { OutputObject } from './output.ts'

/** What of a CA's own Secret may leave the state folder: never its key, unless asked for. */
const publicKeys: ReadonlySet<string> = new Set(['tls.crt', 'ca.crt'])

export const isExported = ({ metadata }: KubeObject): boolean =>
  metadata.labels?.[marks.managedBy] === marks.managedByValue && metadata.deletionTimestamp === undefined

const isPrivate = ({ metadata }: KubeObject): boolean => metadata.annotations?.[marks.private] === 'true'

export const exportedSecret = (secret: Secret, includeAuthorityKeys: boolean): OutputObject => {
  const entries = Object.entries(secret.data ?? {}).filter(
    ([key]) => includeAuthorityKeys || !isPrivate(secret) || publicKeys.has(key),
  )
  return {
    kind: 'secret',
    namespace: secret.metadata.namespace ?? 'default',
    name: secret.metadata.name,
    data: new Map(entries.map(([key, value]) => [key, Buffer.from(value, 'base64')])),
  }
}

export const exportedConfigMap = ({ metadata, data = {}, binaryData = {} }: ConfigMap): OutputObject => ({
  kind: 'configmap',
  namespace: metadata.namespace ?? 'default',
  name: metadata.name,
  data: new Map([
    ...Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'utf8')] as const),
    ...Object.entries(binaryData).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const),
  ]),
})
