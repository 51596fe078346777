/** CockroachDB. https://www.cockroachlabs.com/docs/stable/authentication, https://www.cockroachlabs.com/docs/stable/rotate-certificates */
import { refusesDemands } from './demands.ts'
import type { Account, Client, Context, Definition, Identity } from './engine.ts'
import { nameIsUser } from './identity.ts'
import { propertyValue } from './quote/properties.ts'
import { shellCommand } from './quote/shell.ts'
import { sqlName } from './quote/sql.ts'
import { uriHost, uriPart } from './quote/uri.ts'
import { commandsPage, fenced, hasCertificate, mountWords } from './text.ts'

const node = 'node'

/** File names say whose a certificate is, so a user's name has to be one: https://www.cockroachlabs.com/docs/stable/create-user#user-names */
const form = /^[a-z0-9_][a-z0-9._-]{0,62}$/

const identity = (account: Account): Identity =>
  account.username === node
    ? { refused: { problem: '"node" is what the servers themselves are known by', cure: 'choose another username' } }
    : nameIsUser('CockroachDB', form, 'lower-case letters, digits, ".", "_" and "-"')(account)

const query = (client: Client): string => {
  const own = hasCertificate(client) ? `&sslcert=${client.files.certificate}&sslkey=${client.files.key}` : ''
  return `sslmode=verify-full&sslrootcert=${client.trust.pem}${own}`
}

const url = (context: Context, client: Client): string => {
  const user = client.username === undefined ? '' : `${uriPart(client.username)}@`
  return `postgresql://${user}${uriHost(context.host)}:${context.port}/${uriPart(client.database ?? 'defaultdb')}?${query(client)}`
}

const jdbc = (context: Context, client: Client): string[] => [
  'For pgjdbc:',
  '',
  fenced(
    'properties',
    `url=${propertyValue(`jdbc:postgresql://${uriHost(context.host)}:${context.port}/${uriPart(client.database ?? 'defaultdb')}`)}`,
    `user=${propertyValue(client.username ?? '')}`,
    'sslmode=verify-full',
    `sslrootcert=${client.trust.pem}`,
    ...(hasCertificate(client) ? [`sslcert=${client.files.certificate}`, `sslkey=${client.files.keyDER}`] : []),
  ),
  '',
]

const clientSection = (context: Context, client: Client): string[] => [
  `${mountWords(client)}.`,
  '',
  fenced('sh', shellCommand('cockroach', 'sql', `--url=${url(context, client)}`)),
  '',
  ...(client.username === undefined || client.username === 'root'
    ? []
    : ['The user, once:', '', fenced('sql', `CREATE USER IF NOT EXISTS ${sqlName(client.username)};`), '']),
  ...(client.java ? jdbc(context, client) : []),
]

const servers = (context: Context): string[] => [
  '## Servers',
  '',
  `Secret ${context.server.secretName} mounted at ${context.server.folder} with \`defaultMode: 0440\` and an \`fsGroup\`.`,
  '',
  fenced('sh', shellCommand('cockroach', 'start', `--certs-dir=${context.server.folder}`)),
  '',
  ...(context.clientTrust === context.server.files.trust
    ? []
    : [`Clients have a CA of their own: project ${context.clientTrust} into that folder as \`ca-client.crt\`.`, '']),
  'After a renewal, also of the CA, send SIGHUP to each node.',
  '',
]

export const cockroachdb: Definition = {
  engine: 'CockroachDB',
  versions: { oldest: '22', newest: '27' },
  port: 26257,
  dialect: 'postgresql',
  bareWildcards: true,
  serverRole: 'Peer',
  components: {},
  serverSubject: () => ({ subject: { commonName: node } }),
  identity,
  refusesRequire: refusesDemands(
    'CockroachDB',
    'a secure CockroachDB takes TLS connections alone, and knows a certificate by its common name',
    'set require: X509, or TLS for a password',
  ),
  serverItems: [
    { key: 'node.crt', content: 'CertificateChain' },
    { key: 'node.key', content: 'PrivateKey' },
    { key: 'ca.crt', content: 'TrustBundle' },
  ],
  clientItems: ({ username, java }) => [
    { key: `client.${username}.crt`, content: 'CertificateChain' },
    { key: `client.${username}.key`, content: 'PrivateKey' },
    { key: 'ca.crt', content: 'TrustBundle' },
    ...(java ? ([{ key: `client.${username}.pk8`, content: 'PrivateKeyDER', encoding: 'PKCS8' }] as const) : []),
  ],
  reload: () => ({ leaf: 'Signal', authority: 'Signal', statements: [], onMismatch: 'KeepsOld' }),
  serverFiles: () => ({}),
  clientFiles: (context) => ({
    'commands.md': commandsPage(
      context,
      (client) => clientSection(context, client),
      context.managed ? [] : servers(context),
    ),
  }),
}
