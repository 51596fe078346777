/**
 * PostgreSQL. https://www.postgresql.org/docs/current/ssl-tcp.html, https://www.postgresql.org/docs/current/auth-cert.html,
 * https://www.postgresql.org/docs/current/libpq-ssl.html, https://jdbc.postgresql.org/documentation/ssl/
 */
import type { Account, Client, Context, Definition, Finding, Identity } from './engine.ts'
import { clientItems, javaItems, pemItems } from './files.ts'
import { onRds } from './managed.ts'
import { hbaToken, postgresqlSetting, serviceValue } from './quote/postgresql.ts'
import { propertyValue } from './quote/properties.ts'
import { shellCommand } from './quote/shell.ts'
import { uriHost, uriPart } from './quote/uri.ts'
import {
  clientNote,
  commandsPage,
  fenced,
  hasCertificate,
  lines,
  mountNote,
  mountWords,
  passwordNote,
  perClient,
} from './text.ts'

/** pgjdbc sends no certificate whose entry has another alias (measured with 42.5.5). */
const pgjdbcAlias = 'user'

const postgresqlConf = (context: Context): string =>
  lines(
    ...mountNote(context),
    '# The key must belong to the server and be 0600, or to root and be 0640: set defaultMode: 0640 and fsGroup.',
    'ssl = on',
    `ssl_cert_file = ${postgresqlSetting(context.server.files.certificate)}`,
    `ssl_key_file = ${postgresqlSetting(context.server.files.key)}`,
    `ssl_ca_file = ${postgresqlSetting(context.clientTrust)}`,
    "ssl_min_protocol_version = 'TLSv1.2'",
  )

/**
 * Without quotes pg_hba.conf takes this name of a database for connections of physical replication.
 * https://www.postgresql.org/docs/current/auth-pg-hba-conf.html
 */
const replication = 'replication'

const replicates = ({ database }: Pick<Client, 'database'>): boolean => database === replication

const hbaDatabase = (client: Client): string =>
  client.database === undefined ? 'all' : replicates(client) ? replication : hbaToken(client.database)

/** The role's own line, from what its connection must show. With `cert` the certificate stands for the password. */
const hbaLine = (client: Client): string => {
  const role = hbaToken(client.username ?? client.name)
  const line = (type: string, method: string): string => `${type} ${hbaDatabase(client)} ${role} all ${method}`
  switch (client.require) {
    case 'None':
      return line('host', 'scram-sha-256')
    case 'TLS':
      return line('hostssl', 'scram-sha-256')
    case 'X509':
      return line('hostssl', 'scram-sha-256 clientcert=verify-full')
    case 'Subject':
      return line('hostssl', 'cert')
    default:
      return line('hostssl', 'scram-sha-256 clientcert=verify-ca')
  }
}

const pgHba = (context: Context): string => {
  const plain = context.clients.filter(({ require }) => require === 'None')
  const encrypted = context.clients.filter(({ require }) => require !== 'None')
  return lines(
    '# The first line that fits a connection decides, so these belong before others. "all" does not stand for replication.',
    context.clients.some(replicates)
      ? '# Without quotes replication stands for connections of physical replication, and for no database of that name.'
      : undefined,
    ...plain.map(hbaLine),
    '# No other connection over the network goes on without TLS.',
    'hostnossl all all all reject',
    'hostnossl replication all all reject',
    ...encrypted.filter(({ username }) => username !== undefined).map(hbaLine),
  )
}

const pgIdent = lines(
  '# The common name of every certificate is the role itself, so no map is needed. One would be named by map= in pg_hba.conf:',
  '# MAPNAME SYSTEM-USERNAME DATABASE-USERNAME',
)

const clientConf = (context: Context, client: Client): string =>
  lines(
    '# A connection service file: PGSERVICEFILE names it, service=NAME in a connection string uses it.',
    clientNote(client),
    `[${client.name}]`,
    `host=${context.host}`,
    `port=${context.port}`,
    client.database === undefined ? undefined : `dbname=${serviceValue(client.database)}`,
    client.username === undefined ? undefined : `user=${serviceValue(client.username)}`,
    'sslmode=verify-full',
    `sslrootcert=${client.trust.pem}`,
    ...(hasCertificate(client) ? [`sslcert=${client.files.certificate}`, `sslkey=${client.files.key}`] : []),
    replicates(client) ? 'replication=true' : undefined,
  )

/** sslkey is told by its extension; DER is what every pgjdbc reads, the keystore is there for who wants one file. */
const jdbcProperties = (context: Context, client: Client): string =>
  lines(
    '# pgjdbc',
    clientNote(client),
    `url=${propertyValue(`jdbc:postgresql://${uriHost(context.host)}:${context.port}/${uriPart(client.database ?? client.username ?? '')}`)}`,
    client.username === undefined ? undefined : `user=${propertyValue(client.username)}`,
    // https://jdbc.postgresql.org/documentation/server-prepare/#physical-and-logical-replication-api
    ...(replicates(client) ? ['replication=true', 'assumeMinServerVersion=9.4', 'preferQueryMode=simple'] : []),
    'sslmode=verify-full',
    `sslrootcert=${client.trust.pem}`,
    ...(!hasCertificate(client)
      ? []
      : client.java
        ? [
            `sslcert=${client.files.certificate}`,
            `sslkey=${client.files.keyDER}`,
            `# Or sslkey=${client.files.keystore} alone, with sslpassword: ${passwordNote(client)}.`,
          ]
        : ['# For a key in the form that pgjdbc reads set java: true on this client of the profile.']),
  )

/** https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS */
const connectionUri = (context: Context, client: Client): string => {
  const user = client.username === undefined ? '' : `${uriPart(client.username)}@`
  const files = hasCertificate(client) ? `&sslcert=${client.files.certificate}&sslkey=${client.files.key}` : ''
  const mode = replicates(client) ? '&replication=true' : ''
  return `postgresql://${user}${uriHost(context.host)}:${context.port}/${uriPart(client.database ?? '')}?sslmode=verify-full&sslrootcert=${client.trust.pem}${files}${mode}`
}

const ownNotes = [
  '`pg_hba.conf` refuses plain connections and says what each role must show: `require: Subject` takes the certificate for the',
  'password, `X509` asks for both. The common name of a certificate is the role.',
  '',
  'After a renewal, also of the CA:',
  '',
  fenced('sql', 'SELECT pg_reload_conf();'),
  '',
  'It answers `t` even where the new files could not be used; then only the log says so, and the former ones stay in use.',
]
const managedNotes = [
  'The managed server refuses plain connections by its own parameters (on RDS by `rds.force_ssl`, on by default from PostgreSQL 15; of',
  'Aurora it is in those of the cluster).',
  '',
  ...onRds('rds.force_ssl'),
]

const replicationNotes = [
  'The database `replication` stands for connections of physical replication, and for none of that name; the role needs the attribute',
  '`REPLICATION`. They take `IDENTIFY_SYSTEM;` and its kin in place of SQL. A standby takes the same string as its `primary_conninfo`,',
  '`pg_basebackup` with `--dbname`. Logical replication is a connection to its database: name that one.',
  '',
]

const commands = (context: Context): string =>
  commandsPage(
    context,
    (client) => [
      `${mountWords(client)}. libpq takes the key only where its mode is 0600, or 0640 and root's.`,
      '',
      fenced('sh', shellCommand('psql', connectionUri(context, client))),
      '',
      ...(replicates(client) ? replicationNotes : []),
    ],
    [
      'Once connected, this shows protocol and cipher:',
      '',
      fenced('sql', 'SELECT version, cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid();'),
      '',
      ...(context.managed ? managedNotes : ownNotes),
    ],
  )

/** Quotes do not take the meaning of the slash away. */
const expressionFinding = (name: string): Finding | undefined =>
  name.startsWith('/')
    ? { problem: 'pg_hba.conf takes a name that begins with "/" for a regular expression', cure: 'choose another name' }
    : undefined

const identity = ({ username }: Account): Identity => {
  const refused = (problem: string, cure: string): Identity => ({ refused: { problem, cure } })
  if (Buffer.byteLength(username, 'utf8') > 63)
    return refused('the username has more than 63 bytes, and PostgreSQL cuts a role off there', 'choose a shorter one')
  const expression = expressionFinding(username)
  if (expression !== undefined) return { refused: expression }
  return { subject: { commonName: username } }
}

export const postgresql: Definition = {
  engine: 'PostgreSQL',
  versions: { oldest: '12', newest: '19' },
  port: 5432,
  dialect: 'postgresql',
  bareWildcards: false,
  serverRole: 'Server',
  components: {},
  identity,
  refusesDatabase: expressionFinding,
  // The first line that fits decides, and one without a database fits all but replication.
  isOneAccount: (a, b) =>
    a.username === b.username &&
    (a.database === b.database ||
      (!replicates(a) && !replicates(b) && (a.database === undefined || b.database === undefined))),
  serverItems: pemItems,
  clientItems: clientItems(pemItems, [
    { key: 'tls.pk8', content: 'PrivateKeyDER', encoding: 'PKCS8' },
    ...javaItems(pgjdbcAlias),
  ]),
  reload: () => ({
    leaf: 'Statement',
    authority: 'Statement',
    statements: ['SELECT pg_reload_conf()'],
    onMismatch: 'KeepsOldSilently',
  }),
  serverFiles: (context) => ({
    'postgresql.conf': postgresqlConf(context),
    'pg_hba.conf': pgHba(context),
    'pg_ident.conf': pgIdent,
  }),
  clientFiles: (context) => ({
    ...perClient(context, 'client.conf', (client) => clientConf(context, client)),
    ...perClient(context, 'jdbc.properties', (client) => jdbcProperties(context, client)),
    'commands.md': commands(context),
  }),
}
