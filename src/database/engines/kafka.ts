/**
 * Kafka 2.7 and later, which reads PEM (KIP-651). https://kafka.apache.org/documentation/#security_ssl,
 * https://kafka.apache.org/documentation/#brokerconfigs_ssl.principal.mapping.rules
 */
import { asksAll, refusesDemands } from './demands.ts'
import type { Client, Context, Definition, Holder, Identity } from './engine.ts'
import { clientItems, combinedItems } from './files.ts'
import { userInName } from './identity.ts'
import { shellCommand } from './quote/shell.ts'
import { uriHost } from './quote/uri.ts'
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

/** By the mapping rule below. */
const identity = userInName('Kafka')

/** Brokers are users too, and Kafka refuses a keystore with another DN: the name has to stay whatever the topology does. */
const brokers = ({ profile }: Holder): Identity => identity({ username: profile })

const brokerName = ({ server, profile }: Context): string => server.subject.commonName ?? profile

const serverProperties = (context: Context): string =>
  lines(
    ...mountNote(context),
    'ssl.keystore.type=PEM',
    `ssl.keystore.location=${context.server.files.combined}`,
    'ssl.truststore.type=PEM',
    `ssl.truststore.location=${context.clientTrust}`,
    `ssl.client.auth=${asksAll(context) ? 'required' : 'requested'}`,
    'ssl.endpoint.identification.algorithm=https',
    '# User:<common name>',
    'ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT',
    'security.inter.broker.protocol=SSL',
    `super.users=User:${brokerName(context)}`,
    // Without it a keystore that lacks a name the last one had is refused (KIP-978).
    isAtLeast(context.version, '3.7') ? 'ssl.allow.san.changes=true' : undefined,
  )

/** A broker as a client of the others: it is a super user, so these are what accounts and configurations are changed with. */
const adminProperties = (context: Context): string =>
  lines(
    ...mountNote(context),
    `bootstrap.servers=${uriHost(context.host)}:${context.port}`,
    'security.protocol=SSL',
    'ssl.truststore.type=PEM',
    `ssl.truststore.location=${context.server.files.trust}`,
    'ssl.keystore.type=PEM',
    `ssl.keystore.location=${context.server.files.combined}`,
    'ssl.endpoint.identification.algorithm=https',
  )

const clientProperties = (context: Context, client: Client): string =>
  lines(
    clientNote(client),
    `bootstrap.servers=${uriHost(context.host)}:${context.port}`,
    'security.protocol=SSL',
    'ssl.truststore.type=PEM',
    `ssl.truststore.location=${client.trust.pem}`,
    ...(hasCertificate(client) ? keystore(client) : []),
    'ssl.endpoint.identification.algorithm=https',
  )

/** The Secret of a user of Strimzi has no file with both key and chain. */
const keystore = (client: Client): string[] =>
  client.files.hasCombined
    ? ['ssl.keystore.type=PEM', `ssl.keystore.location=${client.files.combined}`]
    : [
        `ssl.keystore.type=${client.files.storeType}`,
        `ssl.keystore.location=${client.files.keystore}`,
        `# ssl.keystore.password: ${passwordNote(client)}.`,
      ]

const commands = (context: Context): string =>
  commandsPage(
    context,
    (client) => {
      const file = fileOfClient(context, client, 'client.properties')
      const bootstrap = `${uriHost(context.host)}:${context.port}`
      return [
        `${mountWords(client)}. \`${file}\` is in this ConfigMap.`,
        '',
        fenced(
          'sh',
          shellCommand('kafka-topics.sh', '--bootstrap-server', bootstrap, '--command-config', file, '--list'),
        ),
        '',
        'librdkafka:',
        '',
        fenced(
          'properties',
          'security.protocol=ssl',
          `ssl.ca.location=${client.trust.pem}`,
          ...(hasCertificate(client)
            ? [`ssl.certificate.location=${client.files.certificate}`, `ssl.key.location=${client.files.key}`]
            : []),
        ),
        '',
        ...(client.java
          ? [
              `Keystore ${client.files.keystore} and truststore ${client.trust.store} are PKCS12; password: ${passwordNote(client)}.`,
              '',
            ]
          : []),
        ...(client.username === undefined || client.subject === undefined
          ? []
          : [
              context.managed
                ? 'Its rights, where an authorizer is set; `admin.properties` are those of an administrator:'
                : 'Its rights, where an authorizer is set. `admin.properties` of this ConfigMap makes it a command of the brokers, for one of their pods:',
              '',
              fenced(
                'sh',
                shellCommand(
                  'kafka-acls.sh',
                  '--bootstrap-server',
                  bootstrap,
                  '--command-config',
                  'admin.properties',
                  '--add',
                  '--allow-principal',
                  `User:${client.username}`,
                  '--operation',
                  'All',
                  '--topic',
                  '*',
                ),
              ),
              '',
            ]),
      ]
    },
    context.managed ? [] : reloadNotes(context),
  )

const reloadNotes = (context: Context): string[] => [
  'After a renewal, on each broker, with its number and for any one listener; the same path again makes it read the files of all.',
  'The answer comes before the broker has done it, its network threads do it one after the other, and a refusal is in its log alone, so',
  'look more than once at what it serves:',
  '',
  fenced(
    'sh',
    shellCommand(
      'kafka-configs.sh',
      '--bootstrap-server',
      `${uriHost(context.host)}:${context.port}`,
      '--command-config',
      'admin.properties',
      '--entity-type',
      'brokers',
      '--entity-name',
      '0',
      '--alter',
      '--add-config',
      `listener.name.ssl.ssl.keystore.location=${context.server.files.combined},listener.name.ssl.ssl.truststore.location=${context.clientTrust}`,
    ),
  ),
]

export const kafka: Definition = {
  engine: 'Kafka',
  versions: { oldest: '2.7', newest: '4' },
  port: 9093,
  dialect: 'kafka',
  bareWildcards: true,
  serverRole: 'Peer',
  components: {},
  serverSubject: brokers,
  identity,
  refusesRequire: refusesDemands(
    'Kafka',
    'the listener takes TLS connections alone, and knows a client by its subject',
    'set require: X509, or TLS where the client logs in by SASL',
  ),
  serverItems: combinedItems,
  clientItems: clientItems(combinedItems),
  reload: () => ({ leaf: 'Command', authority: 'Command', statements: [], onMismatch: 'KeepsOldSilently' }),
  serverFiles: (context) => ({
    'server.properties': serverProperties(context),
    'admin.properties': adminProperties(context),
  }),
  clientFiles: (context) => ({
    ...perClient(context, 'client.properties', (client) => clientProperties(context, client)),
    'commands.md': commands(context),
  }),
}
