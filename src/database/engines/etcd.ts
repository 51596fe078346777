/**
 * etcd. https://etcd.io/docs/latest/op-guide/security/, https://etcd.io/docs/latest/op-guide/configuration/,
 * https://github.com/etcd-io/jetcd/blob/main/docs/SslConfig.md
 */
import { isAddress } from '../../pki/names/ip-address.ts'
import { refusesDemands } from './demands.ts'
import type { Client, Context, Definition } from './engine.ts'
import { pemItems } from './files.ts'
import { nameIsUser } from './identity.ts'
import { shellCommand } from './quote/shell.ts'
import { uriHost } from './quote/uri.ts'
import { quotedString } from './quote/yaml.ts'
import { commandsPage, fenced, hasCertificate, lines, mountNote, mountWords } from './text.ts'

const peer = 'peer'

const etcdYaml = (context: Context): string => {
  const { files } = context.components.get(peer) ?? context.server
  return lines(
    ...mountNote(context, [peer]),
    '# URLs must begin with https.',
    'client-transport-security:',
    `  cert-file: ${context.server.files.certificate}`,
    `  key-file: ${context.server.files.key}`,
    `  trusted-ca-file: ${context.clientTrust}`,
    '  client-cert-auth: true',
    'peer-transport-security:',
    `  cert-file: ${files.certificate}`,
    `  key-file: ${files.key}`,
    `  trusted-ca-file: ${files.trust}`,
    '  client-cert-auth: true',
  )
}

const endpoint = (context: Context): string => `https://${uriHost(context.host)}:${context.port}`

const etcdctl = (context: Context, client: Client): string =>
  shellCommand(
    'etcdctl',
    `--endpoints=${endpoint(context)}`,
    `--cacert=${client.trust.pem}`,
    ...(hasCertificate(client) ? [`--cert=${client.files.certificate}`, `--key=${client.files.key}`] : []),
    'endpoint',
    'health',
  )

const file = (path: string): string => `new File(${quotedString(path)})`

/** Of the stores of a JVM it reads none, and keys in PKCS #8 alone, which is what clients are given. */
const jetcd = (context: Context, { files, trust, ...client }: Client): string =>
  fenced(
    'java',
    '// jetcd 0.8',
    `var tls = GrpcSslContexts.forClient().trustManager(${file(trust.pem)})`,
    ...(client.subject === undefined ? [] : [`    .keyManager(${file(files.certificate)}, ${file(files.key)})`]),
    '    .build();',
    `var client = Client.builder().endpoints(${quotedString(endpoint(context))}).sslContext(tls).build();`,
  )

const commands = (context: Context): string =>
  commandsPage(
    context,
    (client) => [
      `${mountWords(client)}.`,
      '',
      fenced('sh', etcdctl(context, client)),
      '',
      ...(client.username === undefined
        ? []
        : [
            'The user, once; the common name of the certificate is its name where authentication is on:',
            '',
            fenced('sh', shellCommand('etcdctl', 'user', 'add', '--no-password', client.username)),
            '',
          ]),
      'In Java; where a connection is refused it tries again in silence, unless `.waitForReady(false)` has it say why:',
      '',
      jetcd(context, client),
      '',
    ],
    context.managed
      ? []
      : [
          'A renewed certificate is read at the next handshake. The CA file is read at the start only: restart the members one after the',
          'other at each step of a CA rotation. A key that does not belong to its certificate costs every connection until it does.',
        ],
  )

export const etcd: Definition = {
  engine: 'Etcd',
  versions: { oldest: '3.4', newest: '3' },
  port: 2379,
  dialect: 'plain',
  bareWildcards: true,
  // The gateway of the server is a client of its own port, with the server's certificate.
  serverRole: 'Peer',
  components: { [peer]: { role: 'Peer', always: true, sharesTopology: true, port: 2380, dialect: 'plain' } },
  // etcdctl would take a dash for the beginning of an option.
  identity: nameIsUser('etcd', /^[^\s-].*$/u, 'characters that begin with no blank and no "-"'),
  refusesRequire: refusesDemands(
    'Etcd',
    'etcd asks every client for a certificate here, and knows it by its common name',
    'set require: X509',
  ),
  serverItems: pemItems,
  clientItems: () => pemItems,
  warns: ({ dnsNames }) =>
    dnsNames.every(isAddress)
      ? [
          {
            field: 'spec.topology',
            problem: 'with addresses and no DNS name in its certificate etcd does not read a renewed one while it runs',
            cure: 'list services, a statefulSet or extraDNSNames',
          },
        ]
      : [],
  reload: () => ({ leaf: 'Automatic', authority: 'Restart', statements: [], onMismatch: 'LosesService' }),
  serverFiles: (context) => ({ 'etcd.yaml': etcdYaml(context) }),
  clientFiles: (context) => ({ 'commands.md': commands(context) }),
}
