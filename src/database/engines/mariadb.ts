/**
 * MariaDB 10.4 and later, Galera with the component `galera`.
 * https://mariadb.com/docs/server/security/encryption/data-in-transit-encryption
 * https://mariadb.com/docs/galera-cluster/galera-security/securing-communications-in-galera-cluster
 */
import type { Client, Context, Definition, Mounted, Reload } from './engine.ts'
import { pemItems } from './files.ts'
import { freeIdentity } from './identity.ts'
import { onRds } from './managed.ts'
import {
  accountsSql,
  clientCnf,
  clientCommands,
  dbconnectorYaml,
  jdbcUrl,
  managedDemand,
  mysqlClientItems,
  refusesRequire,
  isOneAccount,
} from './mysql-family.ts'
import { propertyValue } from './quote/properties.ts'
import { clientNote, hasCertificate, lines, mountNote, passwordNote, perClient } from './text.ts'
import { isAtLeast, type Version } from './version.ts'

const component = 'galera'

/** A copy by mariadb-backup (SST): both sides verify the other's chain, with encrypt=3 the donor also the name to which it sends. */
const galera = ({ files }: Mounted): string[] => [
  '',
  '[galera]',
  // Seen with 11.8, where it is on by default: error 1238 for the statement that reloads. An older server passes over the line.
  '# The plugin of this name makes wsrep_provider_options read-only, and a renewed certificate is read by setting it.',
  'loose_plugin_wsrep_provider=OFF',
  '# Add other provider options to this line: a second one would replace it.',
  `wsrep_provider_options="socket.ssl=yes;socket.ssl_ca=${files.trust};socket.ssl_cert=${files.certificate};socket.ssl_key=${files.key}"`,
  '',
  '[sst]',
  // Seen with 11.8: "certificate is valid but its commonName does not match hostname".
  '# The donor wants the address to which it sends in the certificate there: give wsrep_node_address as a name of the member, not as an IP.',
  'encrypt=3',
  `tca=${files.trust}`,
  `tcert=${files.certificate}`,
  `tkey=${files.key}`,
]

const serverCnf = (context: Context): string => {
  const group = context.components.get(component)
  return lines(
    ...mountNote(context, [component]),
    '[mariadb]',
    `ssl_ca=${context.clientTrust}`,
    `ssl_cert=${context.server.files.certificate}`,
    `ssl_key=${context.server.files.key}`,
    'tls_version=TLSv1.2,TLSv1.3',
    isAtLeast(context.version, '10.5') ? 'require_secure_transport=ON' : undefined,
    ...(group === undefined ? [] : galera(group)),
  )
}

const demand = ({ managed, version }: Context): string[] => {
  if (!isAtLeast(version, '10.5')) return []
  return managed ? [managedDemand] : ['SET GLOBAL require_secure_transport = ON;']
}

/** Connector/J 3. https://mariadb.com/docs/connectors/mariadb-connector-j/about-mariadb-connector-j */
const jdbcProperties = (context: Context, client: Client): string =>
  lines(
    '# MariaDB Connector/J 3',
    clientNote(client),
    `url=${propertyValue(jdbcUrl('mariadb', context, client))}`,
    client.username === undefined ? undefined : `user=${propertyValue(client.username)}`,
    'sslMode=verify-full',
    `serverSslCert=${client.trust.pem}`,
    ...(!hasCertificate(client)
      ? []
      : client.java
        ? [
            `keyStore=${client.files.keystore}`,
            `keyStoreType=${client.files.storeType}`,
            `# keyStorePassword: ${passwordNote(client)}.`,
          ]
        : ['# For a keystore with its certificate set java: true on this client of the profile.']),
  )

/** MySQL 9 keeps the client's side of mysql_native_password in a file of its own. https://dev.mysql.com/doc/relnotes/mysql/9.0/en/news-9-0-0.html */
const nativePassword = [
  'Accounts of MariaDB with a password are of the plugin mysql_native_password, which `mysql` of MySQL 9 loads from a file. Where it ends with',
  'error 2059, name the folder of `mysql_native_password.so` with `--plugin-dir`, or take the client of MariaDB.',
  '',
]

const managedNotes = (version: Version): string[] =>
  isAtLeast(version, '10.5')
    ? [
        'The managed server refuses plain connections by `require_secure_transport` in its own parameters (on RDS on by default from MariaDB',
        '11.8). `accounts.sql` demands TLS of each account besides.',
        '',
        ...onRds('require_secure_transport'),
      ]
    : ['`accounts.sql` demands TLS of each account; a parameter for all of them came with MariaDB 10.5.']

const notes = ({ managed, components, version }: Context): string[] =>
  managed
    ? [...nativePassword, ...managedNotes(version)]
    : [
        ...nativePassword,
        // 1045 was seen with 10.11, 3159 with 11.8.
        '`server.cnf` refuses plain connections from MariaDB 10.5 on (error 1045, in later versions 3159), `accounts.sql` says what each',
        'account must show. A client certificate that the server does not trust costs the connection even where none is demanded.',
        '',
        'After a renewal, also of the CA:',
        '',
        '```sql',
        'FLUSH SSL;',
        ...(components.has(component) ? ["SET GLOBAL wsrep_provider_options = 'socket.ssl_reload=1';"] : []),
        '```',
        '',
        '`FLUSH SSL` needs the privilege RELOAD. Open connections keep what they began with.',
      ]

const reload = (components: ReadonlyMap<string, unknown>): Reload => ({
  leaf: 'Statement',
  authority: 'Statement',
  statements: [
    'FLUSH SSL',
    ...(components.has(component) ? ["SET GLOBAL wsrep_provider_options = 'socket.ssl_reload=1'"] : []),
  ],
  onMismatch: 'KeepsOld',
})

export const mariadb: Definition = {
  engine: 'MariaDB',
  versions: { oldest: '10.4', newest: '13' },
  port: 3306,
  dialect: 'mysql',
  bareWildcards: false,
  serverRole: 'Server',
  components: { [component]: { role: 'Peer', sharesTopology: true } },
  // mysql.global_priv keeps 128 characters, which the schema allows.
  identity: freeIdentity,
  refusesRequire,
  isOneAccount,
  serverItems: pemItems,
  clientItems: mysqlClientItems,
  refuses: ({ components, authoritySelfSigned }) =>
    components.includes(component) && authoritySelfSigned === false
      ? [
          {
            field: 'spec.authorityRef',
            problem: 'Galera does not accept certificates of an intermediate CA (MDEV-35812), and this CA is one',
            cure: 'name a self-signed CertificateAuthority',
          },
        ]
      : [],
  reload: (_, { components }) => reload(components),
  serverFiles: (context) => ({ 'server.cnf': serverCnf(context) }),
  clientFiles: (context) => ({
    ...perClient(context, 'client.cnf', (client) => clientCnf(context, client, 'ssl-verify-server-cert')),
    ...perClient(context, 'jdbc.properties', (client) => jdbcProperties(context, client)),
    ...perClient(context, 'dbconnector.yaml', (client) => dbconnectorYaml(client)),
    'accounts.sql': accountsSql(context, demand(context)),
    'commands.md': clientCommands(context, notes(context)),
  }),
}
