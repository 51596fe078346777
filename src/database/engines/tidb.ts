/**
 * TiDB and the servers around it. https://docs.pingcap.com/tidb/stable/enable-tls-between-components,
 * https://docs.pingcap.com/tidb/stable/enable-tls-between-clients-and-servers,
 * https://docs.pingcap.com/tidb/stable/tiproxy-configuration
 */
import type { Component, Context, Definition, Mounted } from './engine.ts'
import { pemItems } from './files.ts'
import { mysqlIdentity } from './mysql.ts'
import {
  accountsSql,
  clientCnf,
  clientCommands,
  connectorJ,
  dbconnectorYaml,
  mysqlClientItems,
  refusesRequire,
  isOneAccount,
} from './mysql-family.ts'
import { quotedString } from './quote/yaml.ts'
import { lines, mountNote, perClient } from './text.ts'

/** By which the servers of a cluster know each other (`cert-allowed-cn`); the same for every component. */
const commonName = 'TiDB'

const peer = (port: number): Component => ({
  role: 'Peer',
  port,
  dialect: 'plain',
  subject: () => ({ subject: { commonName } }),
})

const setting = (name: string, value: string): string => `${name} = ${quotedString(value)}`

const allowed = (name: string): string => `${name} = [${quotedString(commonName)}]`

/** The three files of a component, under the names it has for them. */
const three = ({ files }: Mounted, ca: string, cert: string, key: string): string[] => [
  setting(ca, files.trust),
  setting(cert, files.certificate),
  setting(key, files.key),
]

const note = (mounted: Mounted): string => `# Secret ${mounted.secretName} mounted at ${mounted.folder}`

const tidbToml = (context: Context): string => {
  const cluster = context.components.get('tidb')
  return lines(
    ...mountNote(context, ['tidb']),
    '[security]',
    setting('ssl-ca', context.clientTrust),
    setting('ssl-cert', context.server.files.certificate),
    setting('ssl-key', context.server.files.key),
    ...(cluster === undefined
      ? []
      : [...three(cluster, 'cluster-ssl-ca', 'cluster-ssl-cert', 'cluster-ssl-key'), allowed('cluster-verify-cn')]),
  )
}

const dashes = (mounted: Mounted, ca: string): string =>
  lines(note(mounted), '[security]', ...three(mounted, ca, 'cert-path', 'key-path'), allowed('cert-allowed-cn'))

const tiproxyToml = (mounted: Mounted, context: Context): string =>
  lines(
    note(mounted),
    '[security]',
    '# Without it TiProxy goes on in the clear where a TiDB server offers no TLS.',
    'require-backend-tls = true',
    '# Towards clients',
    '[security.server-tls]',
    setting('cert', mounted.files.certificate),
    setting('key', mounted.files.key),
    '# Its own status port',
    '[security.server-http-tls]',
    setting('cert', mounted.files.certificate),
    setting('key', mounted.files.key),
    '# Towards PD and the status port of TiDB',
    '[security.cluster-tls]',
    ...three(mounted, 'ca', 'cert', 'key'),
    `# Towards the SQL port of TiDB, which shows the certificate of Secret ${context.server.secretName}`,
    '[security.sql-tls]',
    setting('ca', mounted.files.trust),
  )

/** A file for each component the profile has. */
const componentFiles: Readonly<
  Record<string, (mounted: Mounted, context: Context) => Readonly<Record<string, string>>>
> = {
  pd: (mounted) => ({ 'pd.toml': dashes(mounted, 'cacert-path') }),
  tikv: (mounted) => ({ 'tikv.toml': dashes(mounted, 'ca-path') }),
  tiflash: (mounted) => ({
    'tiflash.toml': lines(
      note(mounted),
      '[security]',
      ...three(mounted, 'ca_path', 'cert_path', 'key_path'),
      allowed('cert_allowed_cn'),
    ),
    // The proxy beside TiFlash is a TiKV and reads its names.
    'tiflash-learner.toml': dashes(mounted, 'ca-path'),
  }),
  ticdc: (mounted) => ({ 'ticdc.toml': dashes(mounted, 'ca-path') }),
  tiproxy: (mounted, context) => ({ 'tiproxy.toml': tiproxyToml(mounted, context) }),
}

const demand = ({ managed }: Context): string[] =>
  managed
    ? ['-- require_secure_transport is a setting of the managed cluster.']
    : ['-- Over a connection that is encrypted itself.', 'SET GLOBAL require_secure_transport = ON;']

const notes = (context: Context): string[] => {
  const tools = context.components.get('cluster-client')
  return [
    'After a renewal the SQL port reads certificate, key and CA again on each TiDB server:',
    '',
    '```sql',
    'ALTER INSTANCE RELOAD TLS;',
    '```',
    '',
    'Between the servers a renewed certificate is used for new connections by itself. CA files are read at the start only: restart',
    'the servers one after the other at each step of a CA rotation.',
    ...(context.components.has('tiproxy') ? ['TiProxy looks for renewed files once an hour.'] : []),
    ...(tools === undefined
      ? []
      : [
          '',
          `pd-ctl, tikv-ctl, br and their kin show Secret ${tools.secretName}, here mounted at ${tools.folder}:`,
          '',
          '```sh',
          `pd-ctl -u https://127.0.0.1:2379 --cacert ${tools.files.trust} --cert ${tools.files.certificate} --key ${tools.files.key} member`,
          '```',
        ]),
  ]
}

export const tidb: Definition = {
  engine: 'TiDB',
  versions: { oldest: '5.2', newest: '9' },
  port: 4000,
  dialect: 'mysql',
  // gRPC's own name check in TiKV wants two labels behind a wildcard.
  bareWildcards: false,
  serverRole: 'Server',
  components: {
    pd: peer(2379),
    tikv: peer(20160),
    tidb: { ...peer(10080), facesClients: true },
    tiflash: peer(3930),
    ticdc: peer(8300),
    tiproxy: { ...peer(6000), dialect: 'mysql', facesClients: true },
    'cluster-client': { role: 'Client', withOthers: true, subject: () => ({ subject: { commonName } }) },
  },
  identity: mysqlIdentity,
  refusesRequire,
  // https://github.com/pingcap/tidb/blob/v8.5.0/pkg/parser/parser.y, Username: 'a'@'@b' is 'a'@'b' there, somebody else's account.
  refusesHost: (host) =>
    host.startsWith('@')
      ? { problem: `TiDB drops the "@" with which host "${host}" begins`, cure: 'leave the "@" out' }
      : undefined,
  isOneAccount,
  serverItems: pemItems,
  clientItems: mysqlClientItems,
  warns: ({ components }) =>
    components.length === 0
      ? [
          {
            field: 'spec.components',
            problem: 'without components only the SQL port has TLS, and not what passes between the servers',
            cure: 'list pd, tikv and tidb, and tiflash, ticdc or tiproxy where there are any',
          },
        ]
      : [],
  reload: () => ({
    leaf: 'Statement',
    authority: 'Restart',
    statements: ['ALTER INSTANCE RELOAD TLS'],
    onMismatch: 'KeepsOld',
  }),
  serverFiles: (context) => ({
    'tidb.toml': tidbToml(context),
    ...Object.fromEntries(
      [...context.components].flatMap(([name, mounted]) =>
        Object.hasOwn(componentFiles, name) ? Object.entries(componentFiles[name]?.(mounted, context) ?? {}) : [],
      ),
    ),
  }),
  clientFiles: (context) => ({
    ...perClient(context, 'client.cnf', (client) => clientCnf(context, client, 'ssl-mode')),
    ...perClient(context, 'jdbc.properties', (client) => connectorJ(context, client)),
    ...perClient(context, 'dbconnector.yaml', (client) => dbconnectorYaml(client)),
    'accounts.sql': accountsSql(context, demand(context)),
    'commands.md': clientCommands(context, notes(context)),
  }),
}
