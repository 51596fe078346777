/** Profiles as they come from the API server: through admission, with every default filled in. */
import { distinguishedName } from '../pki/names/names.ts'
import type { KubeObject } from '../cluster/port.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import { type Engine, engines } from '../resources/engines.ts'
import { admit } from '../resources/validate.ts'
import { expand } from './expand.ts'
import type { Expansion, Known } from './expansion.ts'

export const authority = {
  subject: distinguishedName({ commonName: 'Orders CA', organizations: ['Acme'] }),
  selfSigned: true,
}

const objectOf = (spec: object, metadata: object): KubeObject =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseTLSProfile',
    metadata: { name: 'orders', namespace: 'data', ...metadata },
    spec: { authorityRef: { name: 'orders-ca' }, ...spec },
  }) as KubeObject

const admitted = (object: KubeObject, old?: KubeObject): DatabaseTLSProfile => {
  const admission = admit('DatabaseTLSProfile', object, old)
  if ('problems' in admission) throw new Error(JSON.stringify(admission.problems))
  return admission.object as DatabaseTLSProfile
}

export const profileOf = (spec: object, metadata: object = {}): DatabaseTLSProfile => admitted(objectOf(spec, metadata))

/** One that was stored before a rule came that it breaks: an update that leaves it as it was is let pass. */
export const storedOf = (spec: object): DatabaseTLSProfile => admitted(objectOf(spec, {}), objectOf(spec, {}))

export const expanded = (spec: object, known: Known = { authority }): Expansion => expand(profileOf(spec), known)

export const topology = {
  services: ['orders'],
  statefulSet: { name: 'orders', headlessService: 'orders-headless', replicas: 3 },
}

export const clients = [
  { name: 'app', database: 'orders', java: true },
  { name: 'report', username: 'reporting', require: 'TLS' },
]

const components: Partial<Record<Engine, readonly object[]>> = {
  MySQL: [{ name: 'group-replication' }],
  MariaDB: [{ name: 'galera' }],
  TiDB: [
    { name: 'pd', statefulSet: { name: 'orders-pd', headlessService: 'orders-pd-peer', replicas: 3 } },
    { name: 'tikv', ipAddresses: ['172.16.10.14', '172.16.10.15', '172.16.10.16'] },
    { name: 'tidb', services: ['orders-tidb'] },
    { name: 'tiflash', services: ['orders-tiflash'] },
    { name: 'ticdc', services: ['orders-ticdc'] },
    { name: 'tiproxy', services: ['orders-tiproxy'] },
  ],
  ClickHouse: [{ name: 'keeper', services: ['orders-keeper'] }],
}

/** One profile of each engine that shows most of what it has. */
export const exampleOf = (engine: Engine): Record<string, unknown> => ({
  engine,
  ...(engine === 'External'
    ? { connection: { host: 'orders.abc123.eu-west-1.rds.amazonaws.com' } }
    : { topology, connection: { host: 'orders.example.com' } }),
  // etcd asks every client for a certificate.
  clients: engine === 'Etcd' ? [clients[0], { ...clients[1], require: 'X509' }] : clients,
  ...(components[engine] === undefined ? {} : { components: components[engine] }),
})

const node = (last: number): string => `172.16.10.${last}`

/**
 * The topology of https://docs.pingcap.com/tidb/stable/generate-self-signed-certificates, which knows its nodes by address; TiFlash,
 * TiCDC and TiProxy, which that page leaves to the reader, share nodes 4 to 6.
 */
export const sixNodes = {
  engine: 'TiDB',
  version: '8.5',
  topology: { extraIPAddresses: [node(11)] },
  components: [
    { name: 'pd', ipAddresses: [node(11), node(12), node(13)] },
    { name: 'tidb', ipAddresses: [node(11)] },
    { name: 'tikv', ipAddresses: [node(14), node(15), node(16)] },
    { name: 'tiflash', ipAddresses: [node(16)] },
    { name: 'ticdc', ipAddresses: [node(15)] },
    { name: 'tiproxy', ipAddresses: [node(14)] },
  ],
  clients: [{ name: 'app', database: 'orders', java: true }],
}

export { engines }
