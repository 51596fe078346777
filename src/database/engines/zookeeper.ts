/**
 * ZooKeeper 3.8 and later, which reads the password of a store from a file (ZOOKEEPER-4396).
 * https://zookeeper.apache.org/doc/current/zookeeperAdmin.html#sc_authOptions,
 * https://zookeeper.apache.org/doc/current/zookeeperAdmin.html#Quorum+TLS; keys of zoo.cfg that it does not know become system
 * properties with "zookeeper." before them (QuorumPeerConfig.parseProperties).
 *
 * Its stores are PKCS #12, for PEM has two faults in it (both seen on 3.9.4). A PEM truststore keeps one CA of each subject
 * (PemReader.loadTrustStore), so while a CA is replaced by one of the same name, half of all certificates are refused. And a PEM
 * keystore is read twice, for the key and for the chain (PEMFileLoader), so a volume that changes in between gives it half of each.
 */
import type { Item } from '../../resources/secret-items.ts'
import { asksAll, refusesDemands } from './demands.ts'
import type { Client, Context, Definition } from './engine.ts'
import { below, javaItems, pemItems } from './files.ts'
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

/** Its files name it, so it is said where it stands. */
const passwordItem: Item = { key: 'keystore-password', content: 'Password' }

interface Store {
  readonly path: string
  readonly folder: string
  /** Absent: it stands in the Secret of that folder. */
  readonly password?: string | undefined
}

/** `name`: of the properties, as `ssl.trustStore`. */
const store = (name: string, { path, folder, password }: Store): string[] => [
  `${name}.location=${path}`,
  `${name}.type=PKCS12`,
  password === undefined ? `${name}.passwordPath=${below(folder, passwordItem.key)}` : `${name}.password=${password}`,
]

/** Of the CAs by which servers know clients: their own, or those of a ConfigMap, whose password is no secret and known to clients. */
const clientStore = ({ server: { files, folder }, clientTrust, clients }: Context): Store => {
  if (clientTrust === files.trust) return { path: files.truststore, folder }
  const mounted = clientTrust.replace(/\/[^/]*$/, '')
  return { path: below(mounted, 'truststore.p12'), folder: mounted, password: clients[0]?.trust.password }
}

const zooCfg = (context: Context): string => {
  const { folder, files } = context.server
  return lines(
    ...mountNote(context),
    '# Leave out clientPort: that one is in the clear.',
    `secureClientPort=${context.port}`,
    'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
    ...store('ssl.keyStore', { path: files.keystore, folder }),
    ...store('ssl.trustStore', clientStore(context)),
    `ssl.clientAuth=${asksAll(context) ? 'need' : 'want'}`,
    '# Between the servers; each looks the other up by its address too, and the name it finds has to be in the certificate.',
    'sslQuorum=true',
    ...store('ssl.quorum.keyStore', { path: files.keystore, folder }),
    ...store('ssl.quorum.trustStore', { path: files.truststore, folder }),
  )
}

const clientProperties = (client: Client): string =>
  lines(
    clientNote(client),
    'zookeeper.client.secure=true',
    'zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty',
    'zookeeper.ssl.hostnameVerification=true',
    ...store('zookeeper.ssl.trustStore', { ...client, path: client.trust.store, password: client.trust.password }),
    ...(hasCertificate(client) ? store('zookeeper.ssl.keyStore', { ...client, path: client.files.keystore }) : []),
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
        fenced('sh', shellCommand('zkCli.sh', '-server', server, '-client-configuration', `./${file}`)),
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
    context.managed ? [] : reloadNotes,
  )

const reloadNotes = [
  'After a renewal restart the servers one after the other (`reload.strategy: Rollout`), and in the replacement of a CA at each step: between',
  'the servers what was read at the start is served on. It looks for changes of the very names in zoo.cfg, which a mounted Secret never',
  'makes. The port of clients reads renewed files at every connection, from 3.9 on.',
  'A key that does not belong to its certificate would cost new connections: never write the files one by one.',
]

export const zookeeper: Definition = {
  engine: 'ZooKeeper',
  versions: { oldest: '3.8', newest: '3' },
  port: 2281,
  dialect: 'zookeeper',
  bareWildcards: true,
  // The servers show each other what they show their clients.
  serverRole: 'Peer',
  components: {},
  identity: freeIdentity,
  refusesRequire: refusesDemands(
    'ZooKeeper',
    'the secure port takes TLS connections alone, and knows a client by its whole subject',
    'set require: X509, or TLS where the client logs in by SASL or digest',
  ),
  serverItems: [...pemItems, ...javaItems('server'), passwordItem],
  clientItems: () => [...pemItems, ...javaItems(), passwordItem],
  reload: () => ({ leaf: 'Restart', authority: 'Restart', statements: [], onMismatch: 'LosesService' }),
  serverFiles: (context) => ({ 'zoo.cfg': zooCfg(context) }),
  clientFiles: (context) => ({
    ...perClient(context, 'client.properties', clientProperties),
    'commands.md': commands(context),
  }),
}
