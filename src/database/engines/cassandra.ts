/**
 * Cassandra 4.1 and later, which reads PEM: before, the password of a keystore had to stand in cassandra.yaml.
 * https://cassandra.apache.org/doc/latest/cassandra/managing/operating/security.html, conf/cqlshrc.sample,
 * https://cassandra.apache.org/doc/latest/cassandra/developing/cql/security.html,
 * https://docs.datastax.com/en/developer/java-driver/latest/manual/core/ssl/
 */
import { asksAll, byCertificate, oneAuthority } from './demands.ts'
import type { Account, Client, Context, Definition, Identity } from './engine.ts'
import { clientItems, combinedItems } from './files.ts'
import { freeIdentity } from './identity.ts'
import { shellCommand } from './quote/shell.ts'
import { cqlString, sqlName } from './quote/sql.ts'
import { quotedString } from './quote/yaml.ts'
import {
  clientNote,
  commandsPage,
  fenced,
  fileOfClient,
  hasCertificate,
  lines,
  mountNote,
  mountWords,
  passwordNote,
  perClient,
} from './text.ts'
import { isAtLeast } from './version.ts'

const factory = ['  ssl_context_factory:', '    class_name: org.apache.cassandra.security.PEMBasedSslContextFactory']

const cassandraYaml = (context: Context): string =>
  lines(
    ...mountNote(context),
    'server_encryption_options:',
    '  internode_encryption: all',
    // Left out, the port between nodes takes connections in the clear as well (seen on 5.0.6).
    '  optional: false',
    ...factory,
    `  keystore: ${context.server.files.combined}`,
    `  truststore: ${context.server.files.trust}`,
    '  require_client_auth: true',
    '  require_endpoint_verification: true',
    'client_encryption_options:',
    '  enabled: true',
    '  optional: false',
    ...factory,
    `  keystore: ${context.server.files.combined}`,
    `  truststore: ${context.clientTrust}`,
    // One client without a certificate, and nobody can be asked for one.
    `  require_client_auth: ${asksAll(context)}`,
  )

const cqlshrc = (context: Context, client: Client): string =>
  lines(
    clientNote(client),
    '[connection]',
    `hostname = ${context.host}`,
    `port = ${context.port}`,
    'ssl = true',
    '',
    '[ssl]',
    `certfile = ${client.trust.pem}`,
    'validate = true',
    ...(hasCertificate(client) ? [`userkey = ${client.files.key}`, `usercert = ${client.files.certificate}`] : []),
  )

/** The common name is free, but no role has a single quote: Cassandra puts its name into a statement of its own as it stands (seen on 5.0.6). */
const identity = (account: Account): Identity =>
  account.username.includes("'")
    ? {
        refused: {
          problem: 'Cassandra can make no role with a single quote in its name',
          cure: 'choose a username without one',
        },
      }
    : freeIdentity(account)

/** The authenticator that goes by certificates reads a URI in them, which those of a profile have not. */
const accountsCql = (context: Context): string => {
  const named = context.clients.flatMap(({ username, ...client }) =>
    username === undefined ? [] : [{ ...client, role: cqlString(username) }],
  )
  const grants = named.flatMap(({ role, database }) =>
    database === undefined
      ? []
      : ['SELECT', 'MODIFY'].map((right) => `GRANT ${right} ON KEYSPACE ${sqlName(database)} TO ${role};`),
  )
  const identities = isAtLeast(context.version, '5.0') ? named.filter(byCertificate) : []
  return lines(
    '-- With cqlsh -f, as a superuser. PasswordAuthenticator lets nobody in as a role without a password, which belongs in no file:',
    '-- ALTER ROLE gives it one.',
    ...new Set(named.map(({ role }) => `CREATE ROLE IF NOT EXISTS ${role} WITH LOGIN = true;`)),
    ...(identities.length === 0
      ? []
      : [
          '-- MutualTlsAuthenticator (5.0) knows a certificate by a URI in it: for a DatabaseCertificate with such uris.',
          ...new Set(identities.map(({ role }) => `-- ADD IDENTITY IF NOT EXISTS 'spiffe://...' TO ROLE ${role};`)),
        ]),
    ...(grants.length === 0
      ? []
      : ['-- Where authorizer is CassandraAuthorizer; the keyspaces exist already.', ...new Set(grants)]),
  )
}

const javaDriver = (client: Client): string[] => [
  'For the Java driver 4, in `application.conf`; the environment variable KEYSTORE_PASSWORD holds',
  `${passwordNote(client)}.`,
  '',
  fenced(
    'hocon',
    'datastax-java-driver.advanced.ssl-engine-factory {',
    '  class = DefaultSslEngineFactory',
    '  hostname-validation = true',
    `  truststore-path = ${quotedString(client.trust.store)}`,
    client.trust.password === undefined
      ? '  truststore-password = ${KEYSTORE_PASSWORD}'
      : `  truststore-password = ${quotedString(client.trust.password)}`,
    ...(hasCertificate(client)
      ? [`  keystore-path = ${quotedString(client.files.keystore)}`, '  keystore-password = ${KEYSTORE_PASSWORD}']
      : []),
    '}',
  ),
  '',
]

const commands = (context: Context): string =>
  commandsPage(
    context,
    (client) => [
      `${mountWords(client)}. \`${fileOfClient(context, client, 'cqlshrc')}\` is in this ConfigMap.`,
      '',
      fenced(
        'sh',
        shellCommand(
          'cqlsh',
          '--ssl',
          `--cqlshrc=${fileOfClient(context, client, 'cqlshrc')}`,
          // One word: behind -u alone a name that begins with "-" is taken for another option.
          ...(client.username === undefined ? [] : [`--username=${client.username}`]),
        ),
      ),
      '',
      'It verifies the chain of the server and not its name.',
      '',
      ...(client.java ? javaDriver(client) : []),
    ],
    context.managed
      ? []
      : [
          'Renewed files are read within ten minutes, at once on each node after:',
          '',
          fenced('sh', 'nodetool reloadssl'),
          '',
          'A key that does not belong to its certificate would cost new connections: never write the files one by one.',
        ],
  )

export const cassandra: Definition = {
  engine: 'Cassandra',
  versions: { oldest: '4.1', newest: '5' },
  port: 9042,
  dialect: 'cassandra',
  bareWildcards: true,
  serverRole: 'Peer',
  components: {},
  identity,
  refusesRequire: oneAuthority('Cassandra'),
  serverItems: combinedItems,
  clientItems: clientItems(combinedItems),
  reload: () => ({ leaf: 'Automatic', authority: 'Automatic', statements: [], onMismatch: 'LosesService' }),
  serverFiles: (context) => ({ 'cassandra.yaml': cassandraYaml(context) }),
  clientFiles: (context) => ({
    ...perClient(context, 'cqlshrc', (client) => cqlshrc(context, client)),
    'accounts.cql': accountsCql(context),
    'commands.md': commands(context),
  }),
}
