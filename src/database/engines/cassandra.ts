/**
 * Cassandra 4.1 and later, which reads PEM: before, the password of a keystore had to stand in cassandra.yaml.
 * https://cassandra.apache.org/doc/latest/cassandra/managing/operating/security.html, conf/cqlshrc.sample,
 * https://docs.datastax.com/en/developer/java-driver/latest/manual/core/ssl/
 */
import { asksAll, oneAuthority, pkcs8Only } from './demands.ts'
import type { Client, Context, Definition } from './engine.ts'
import { clientItems, combinedItems } from './files.ts'
import { freeIdentity } from './identity.ts'
import { shellCommand } from './quote/shell.ts'
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
  identity: freeIdentity,
  refusesKey: pkcs8Only('Cassandra'),
  refusesRequire: oneAuthority('Cassandra'),
  serverItems: combinedItems,
  clientItems: clientItems(combinedItems),
  reload: () => ({ leaf: 'Automatic', authority: 'Automatic', statements: [], onMismatch: 'LosesService' }),
  serverFiles: (context) => ({ 'cassandra.yaml': cassandraYaml(context) }),
  clientFiles: (context) => ({
    ...perClient(context, 'cqlshrc', (client) => cqlshrc(context, client)),
    'commands.md': commands(context),
  }),
}
