/**
 * ZooKeeper 3.6 and later. https://zookeeper.apache.org/doc/current/zookeeperAdmin.html#sc_authOptions,
 * https://zookeeper.apache.org/doc/current/zookeeperAdmin.html#Quorum+TLS; keys of zoo.cfg that it does not know become system
 * properties with "zookeeper." before them (QuorumPeerConfig.parseProperties).
 */
import { asksAll, pkcs8Only, tlsAlone } from './demands.ts'
import type { Client, Context, Definition } from './engine.ts'
import { clientItems, combinedItems } from './files.ts'
import { commaForm, freeIdentity } from './identity.ts'
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
import { isAtLeast, type Version } from './version.ts'

const stores = (prefix: string, keystore: string, truststore: string): string[] => [
  `${prefix}.keyStore.location=${keystore}`,
  `${prefix}.keyStore.type=PEM`,
  `${prefix}.trustStore.location=${truststore}`,
  `${prefix}.trustStore.type=PEM`,
]

/** ZOOKEEPER-3806, in three lines. */
const reloadsByItself = (version: Version): boolean =>
  isAtLeast(version, '3.8.1') || (isAtLeast(version, '3.7.2') && !isAtLeast(version, '3.8'))

const zooCfg = (context: Context): string => {
  const { combined, trust } = context.server.files
  return lines(
    ...mountNote(context),
    '# Leave out clientPort: that one is in the clear.',
    `secureClientPort=${context.port}`,
    'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
    ...stores('ssl', combined, context.clientTrust),
    `ssl.clientAuth=${asksAll(context) ? 'need' : 'want'}`,
    reloadsByItself(context.version) ? 'client.certReload=true' : undefined,
    '# Between the servers; each looks the other up by its address too, and the name it finds has to be in the certificate.',
    'sslQuorum=true',
    ...stores('ssl.quorum', combined, trust),
    'sslQuorumReloadCertFiles=true',
  )
}

const clientProperties = (client: Client): string =>
  lines(
    clientNote(client),
    'zookeeper.client.secure=true',
    'zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty',
    'zookeeper.ssl.hostnameVerification=true',
    'zookeeper.ssl.trustStore.type=PEM',
    `zookeeper.ssl.trustStore.location=${client.trust.pem}`,
    ...(hasCertificate(client)
      ? ['zookeeper.ssl.keyStore.type=PEM', `zookeeper.ssl.keyStore.location=${client.files.combined}`]
      : []),
  )

/** zkCli splits the ACLs of a line at commas and blanks, so a subject of several parts can only be given by a program. */
const accessNotes = ({ subject }: Client): string[] =>
  subject === undefined
    ? []
    : [`In an ACL it is scheme \`x509\`, id \`${commaForm(subject)}\`; zkCli takes no comma and no blank there.`, '']

const commands = (context: Context): string =>
  commandsPage(
    context,
    (client) => {
      const file = fileOfClient(context, client, 'client.properties')
      const server = `${uriHost(context.host)}:${context.port}`
      return [
        `${mountWords(client)}. \`${file}\` is in this ConfigMap, and fit for \`ZKClientConfig\` too.`,
        '',
        fenced('sh', shellCommand('zkCli.sh', '-server', server, '-client-configuration', file)),
        '',
        ...accessNotes(client),
        ...(client.java
          ? [
              `Keystore ${client.files.keystore} and truststore ${client.trust.store} are PKCS12; password: ${passwordNote(client)}.`,
              '',
            ]
          : []),
      ]
    },
    context.managed ? [] : reloadNotes(context.version),
  )

const reloadNotes = (version: Version): string[] => [
  reloadsByItself(version)
    ? 'Renewed files, those of a CA too, are read as soon as they are there.'
    : 'Between the servers renewed files are read as soon as they are there; for clients restart the servers one after the other.',
  'A key that does not belong to its certificate would cost new connections: never write the files one by one.',
]

export const zookeeper: Definition = {
  engine: 'ZooKeeper',
  versions: { oldest: '3.6', newest: '3' },
  port: 2281,
  dialect: 'zookeeper',
  bareWildcards: true,
  // The servers show each other what they show their clients.
  serverRole: 'Peer',
  components: {},
  identity: freeIdentity,
  refusesKey: pkcs8Only('ZooKeeper'),
  refusesRequire: tlsAlone(
    'the secure port takes TLS connections alone, and knows a client by its whole subject',
    'set require: X509, or TLS where the client logs in by SASL or digest',
  ),
  serverItems: combinedItems,
  clientItems: clientItems(combinedItems),
  reload: (version) => {
    const way = reloadsByItself(version) ? 'Automatic' : 'Restart'
    return { leaf: way, authority: way, statements: [], onMismatch: 'LosesService' }
  },
  serverFiles: (context) => ({ 'zoo.cfg': zooCfg(context) }),
  clientFiles: (context) => ({
    ...perClient(context, 'client.properties', clientProperties),
    'commands.md': commands(context),
  }),
}
