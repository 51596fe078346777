/** DatabaseTLSProfile: one database cluster, from which certificates and configuration follow. */
import { z } from 'zod'
import type { KubeObject, Resource } from '../cluster/port.ts'
import { databaseTLSProfileStatus, type DatabaseTLSProfileStatus } from './database-tls-profile-status.ts'
import { profileRules } from './database-tls-profile-rules.ts'
import { demands, engines, protocols } from './engines.ts'
import { authorityRef, durationText, namespaceName, objectName, text } from './fields.ts'
import { privateKey } from './keys.ts'
import type { CustomKind } from './kind.ts'
import { ageColumn, messageColumn, readyColumn, reasonColumn, resourceOf } from './kind.ts'
import { knownPreset } from './layout-names.ts'
import { dnsName, ipAddress } from './names.ts'
import { rule } from './rule.ts'

const services = z
  .array(namespaceName('A Service.'))
  .max(64)
  .optional()
  .meta({ description: 'Services in this namespace; each adds its names.' })
const addresses = (description: string) => z.array(ipAddress).max(200).optional().meta({ description })
const endpoints = z
  .array(
    z
      .string()
      .min(1)
      .max(300)
      .meta({
        rules: [
          rule<string>({
            rule: "self.matches(r'^[-.:_\\[\\]A-Za-z0-9]+:[0-9]{1,5}$')",
            message: 'must be HOST:PORT, with an IPv6 address in brackets',
            holds: (self) => /^[-.:_[\]A-Za-z0-9]+:[0-9]{1,5}$/.test(self),
          }),
        ],
      }),
  )
  .max(64)
  .optional()
  .meta({ description: 'Servers as HOST:PORT. Default: those of the topology.' })

const statefulSet = z
  .object({
    name: namespaceName('Name of the StatefulSet.'),
    headlessService: namespaceName('Its headless Service. Default: its name.').optional(),
    replicas: z.int().min(1).max(1000).optional().meta({ description: 'Number of pods. Default: 1.' }),
  })
  .optional()
  .meta({ description: 'Adds a name for each pod.' })

const topology = z
  .object({
    services,
    statefulSet,
    clusterDomain: text(253, 'DNS domain of the cluster.').default('cluster.local'),
    extraDNSNames: z.array(dnsName).max(200).optional().meta({ description: 'More DNS names.' }),
    extraIPAddresses: addresses('More addresses.'),
    certificatePer: z
      .enum(['Cluster', 'Pod'])
      .default('Cluster')
      .meta({ description: 'One server certificate for all, or one for each pod.' }),
  })
  .meta({
    description: 'How the servers are reached.',
    rules: [
      rule<{ certificatePer: string; statefulSet?: unknown }>({
        rule: "self.certificatePer != 'Pod' || has(self.statefulSet)",
        message: 'certificatePer: Pod needs statefulSet, which says which pods there are',
        fieldPath: '.statefulSet',
        reason: 'FieldValueRequired',
        holds: (self) => self.certificatePer !== 'Pod' || self.statefulSet !== undefined,
      }),
    ],
  })

const component = z.object({
  name: namespaceName('Name of the component, as tikv.'),
  services,
  statefulSet,
  dnsNames: z.array(dnsName).max(64).optional().meta({ description: 'More DNS names.' }),
  ipAddresses: z.array(ipAddress).max(64).optional().meta({ description: 'Addresses of its servers.' }),
})

const client = z.object({
  name: namespaceName('Name of the client; part of the names of its objects.'),
  username: text(128, 'User of the database. Default: name.').optional(),
  host: text(255, 'Host part of the account, where the engine has one. Default: %.').optional(),
  database: text(128, 'Database the account may use. Default: connection.database.').optional(),
  require: z.enum(demands).optional().meta({ description: 'What the account demands of a connection. Default: X509.' }),
  secretName: objectName(
    "Secret of its certificate. Default: the profile's name, the client's name and '-tls'.",
  ).optional(),
  java: z.boolean().optional().meta({ description: 'Adds keystore and truststore for a JVM.' }),
})

const workload = z.object({
  kind: z.enum(['StatefulSet', 'Deployment']).meta({ description: 'What it is.' }),
  name: objectName('Its name, in the namespace of the profile.'),
  component: namespaceName('Component of the engine whose certificate its pods have. Default: the server.').optional(),
})

export const databaseTLSProfileSpec = z
  .object({
    engine: z
      .enum(engines)
      .meta({ description: 'The database. External: a managed server that brings its own certificate.' }),
    version: text(32, 'Version of the database, as "8.4". Default: the newest one known.').optional(),
    authorityRef,
    clientAuthorityRef: authorityRef
      .optional()
      .meta({ description: 'A second CA for clients. Default: authorityRef.' }),
    topology: topology.optional(),
    components: z
      .array(component)
      .max(32)
      .optional()
      .meta({
        description: 'Engines made of several servers (TiDB: pd, tikv, tidb, tiflash, ticdc, tiproxy).',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    server: z
      .object({
        secretName: objectName(
          "Secret of the server certificate. Default: the profile's name with '-server-tls'.",
        ).optional(),
        privateKey: privateKey.prefault({}),
        // No default: an absent one may be shortened by the policy of a CA, one that was asked for may not.
        duration: durationText(
          'Lifetime of the certificates of this profile. Default: that of a DatabaseCertificate.',
          '10s',
        ).optional(),
      })
      .optional()
      .meta({ description: 'The server certificate.' }),
    clients: z
      .array(client)
      .max(128)
      .optional()
      .meta({
        description: 'One certificate and account for each.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    connection: z
      .object({
        host: text(253, 'Host name clients use.').optional(),
        port: z.int().min(1).max(65535).optional().meta({ description: "Port. Default: the engine's." }),
        database: text(128, 'Database clients use.').optional(),
        protocol: z.enum(protocols).optional().meta({
          description:
            'Engine whose protocol an External server speaks. Default: the one that is known by the port, else MySQL.',
        }),
      })
      .optional()
      .meta({ description: 'What connection strings say.' }),
    layout: z
      .object({
        preset: z
          .string()
          .max(63)
          .meta({ description: 'Name of the layout, as CloudNativePG; see docs/layouts.md.', rules: [knownPreset] }),
        cluster: namespaceName(
          "Name of the cluster in the operator's own resources. Default: the profile's name.",
        ).optional(),
      })
      .optional()
      .meta({ description: 'Names, keys and labels a database operator or chart expects.' }),
    config: z
      .object({
        configMapName: objectName("ConfigMap of snippets. Default: the profile's name with '-tls-config'.").optional(),
      })
      .optional()
      .meta({ description: 'Configuration snippets, SQL and client commands.' }),
    mountPath: z
      .string()
      .max(255)
      .default('/etc/dbtls')
      .meta({
        description: 'Where snippets say the files are.',
        rules: [
          rule<string>({
            rule: "self.matches(r'^/[-_./A-Za-z0-9]*$')",
            message: 'must be an absolute path',
            holds: (self) => /^\/[-_./A-Za-z0-9]*$/.test(self),
          }),
        ],
      }),
    reload: z
      .object({
        strategy: z
          .enum(['SQL', 'Rollout', 'None'])
          .default('None')
          .meta({ description: 'How servers learn of new files: see docs/reload.md.' }),
        credentialsSecretRef: z
          .object({
            name: objectName(
              'Name of the Secret, in the same namespace; keys username and password, and tls.crt and tls.key where the account shows a certificate of its own. Its annotation dbtls.dev/reload-credentials has to name this profile.',
            ),
          })
          .optional()
          .meta({ description: 'Account for strategy SQL.' }),
        client: namespaceName(
          'A client of this profile whose certificate the account shows; its user too, where credentialsSecretRef names none.',
        ).optional(),
        endpoints,
        workloads: z
          .array(workload)
          .max(32)
          .optional()
          .meta({
            description:
              'What strategy Rollout restarts, in this order. Default: the StatefulSets of topology and components.',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['kind', 'name'],
          }),
      })
      .optional()
      .meta({ description: 'What follows a new certificate.' }),
    probe: z
      .object({
        interval: durationText('How often.', '1s').default('5m'),
        endpoints,
      })
      .optional()
      .meta({ description: 'Asks the servers what they serve and trust.' }),
  })
  .meta({
    description: 'The database cluster.',
    rules: profileRules,
  })
export type DatabaseTLSProfileSpec = z.output<typeof databaseTLSProfileSpec>

export interface DatabaseTLSProfile extends KubeObject {
  readonly spec: DatabaseTLSProfileSpec
  readonly status?: DatabaseTLSProfileStatus
}

export const databaseTLSProfiles: Resource<DatabaseTLSProfile> = resourceOf('DatabaseTLSProfile', 'databasetlsprofiles')

export const databaseTLSProfileKind: CustomKind<DatabaseTLSProfile> = {
  resource: databaseTLSProfiles,
  singular: 'databasetlsprofile',
  shortNames: ['dbtls'],
  description: 'One database cluster: expands to certificates, configuration snippets, SQL and connection strings.',
  spec: databaseTLSProfileSpec,
  status: databaseTLSProfileStatus,
  rules: [],
  columns: [
    readyColumn,
    reasonColumn,
    { name: 'Engine', type: 'string', jsonPath: '.spec.engine' },
    { name: 'Authority', type: 'string', jsonPath: '.spec.authorityRef.name' },
    messageColumn,
    ageColumn,
  ],
  selectableFields: ['.spec.authorityRef.name', '.spec.engine'],
}
