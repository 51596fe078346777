/** What MySQL, MariaDB and TiDB have in common on the client's side, and in their accounts. */
import { distinguishedName } from '../../pki/names/names.ts'
import type { Client, Context, Definition, Finding } from './engine.ts'
import { clientItems, javaItems, pemItems, type StoreType } from './files.ts'
import { onelineForm } from './identity.ts'
import { optionValue } from './quote/option-file.ts'
import { propertyValue } from './quote/properties.ts'
import { shellCommand } from './quote/shell.ts'
import { mysqlAccount, mysqlString } from './quote/sql.ts'
import { uriHost, uriPart } from './quote/uri.ts'
import { quotedString } from './quote/yaml.ts'
import { clientNote, commandsPage, fenced, hasCertificate, lines, mountWords, passwordNote } from './text.ts'

/** Aliases of the Open-Xchange guide; Connector/J takes any. */
const keystoreAlias = 'mysqlclient'
const truststoreAlias = 'MySQLCACert'

export const mysqlClientItems = clientItems(pemItems, javaItems(keystoreAlias, truststoreAlias))

/** https://dev.mysql.com/doc/refman/8.4/en/create-user.html#create-user-tls */
export const requireClause = (client: Client, issuer: Uint8Array | undefined): string => {
  switch (client.require) {
    case 'None':
      return 'REQUIRE NONE'
    case 'TLS':
      return 'REQUIRE SSL'
    case 'X509':
      return 'REQUIRE X509'
    case 'Subject':
      return `REQUIRE SUBJECT ${mysqlString(oneline(distinguishedName(client.subject ?? {})))}`
    default:
      return `REQUIRE ISSUER ${mysqlString(oneline(issuer ?? distinguishedName({})))}`
  }
}

/** In place of the statement that demands TLS of everybody. */
export const managedDemand =
  '-- require_secure_transport is set in the parameters of the managed server, not here: see commands.md.'

/** What cannot be written was refused before; an account that nobody can open is what is left of a mistake here. */
const oneline = (name: Uint8Array): string => onelineForm(name) ?? ''

/** `demand` is the statement by which this server refuses plain connections. */
export const accountsSql = (context: Context, demand: readonly string[]): string =>
  lines(
    '-- As an administrator. The accounts exist already; each ALTER USER sets what a connection of theirs must show.',
    'SET NAMES utf8mb4;',
    ...demand,
    ...context.clients
      .filter(({ username }) => username !== undefined)
      .map((client) =>
        client.require === 'Issuer' && context.clientIssuer === undefined
          ? `-- ${client.name}: what it must show is known when its CA has a certificate.`
          : `ALTER USER ${mysqlAccount(client.username ?? '', client.host)} ${requireClause(client, context.clientIssuer)};`,
      ),
  )

/** The text that SUBJECT and ISSUER are compared with has to be certain. */
export const refusesRequire: NonNullable<Definition['refusesRequire']> = (require, subject, issuer) => {
  const uncertain = (whose: string): Finding => ({
    problem: `REQUIRE ${require.toUpperCase()} compares text that OpenSSL writes differently from version to version where ${whose} holds "/", "+", "\\" or a character that is not ASCII`,
    cure: 'set require: X509, or use plain characters there',
  })
  if (require === 'Subject' && onelineForm(distinguishedName(subject)) === undefined) return uncertain('the subject')
  if (require === 'Issuer' && issuer !== undefined && onelineForm(issuer) === undefined)
    return uncertain('the name of the CA')
  return undefined
}

/** There is one ALTER USER that counts, the last one. */
export const isOneAccount: NonNullable<Definition['isOneAccount']> = (a, b) =>
  a.username === b.username && a.host === b.host

export type Verification = 'ssl-mode' | 'ssl-verify-server-cert'

/** An option file for the client programs. `host` and `port` are those of the servers. */
export const clientCnf = (context: Context, client: Client, verification: Verification): string =>
  lines(
    clientNote(client),
    '[client]',
    `host=${optionValue(context.host)}`,
    `port=${context.port}`,
    client.username === undefined ? undefined : `user=${optionValue(client.username)}`,
    `ssl-ca=${client.trust.pem}`,
    ...(hasCertificate(client) ? [`ssl-cert=${client.files.certificate}`, `ssl-key=${client.files.key}`] : []),
    verification === 'ssl-mode' ? 'ssl-mode=VERIFY_IDENTITY' : 'ssl-verify-server-cert',
  )

const certificateOptions = (client: Client): string[] =>
  hasCertificate(client) ? [`--ssl-cert=${client.files.certificate}`, `--ssl-key=${client.files.key}`] : []

const commonOptions = (context: Context, client: Client): string[] => [
  `--host=${context.host}`,
  `--port=${context.port}`,
  ...(client.username === undefined ? [] : [`--user=${client.username}`]),
  '--password',
  `--ssl-ca=${client.trust.pem}`,
  ...certificateOptions(client),
]

const databaseArgument = (client: Client): string[] =>
  client.database === undefined ? [] : [`--database=${client.database}`]

/** `mysql` of 5.7 and later. https://dev.mysql.com/doc/refman/8.4/en/connection-options.html */
export const mysqlCommand = (context: Context, client: Client): string =>
  shellCommand('mysql', ...commonOptions(context, client), '--ssl-mode=VERIFY_IDENTITY', ...databaseArgument(client))

/** MariaDB's client has no --ssl-mode. https://mariadb.com/docs/server/clients-and-utilities/mariadb-client/mariadb-command-line-client */
export const mariadbCommand = (context: Context, client: Client): string =>
  shellCommand('mariadb', ...commonOptions(context, client), '--ssl-verify-server-cert', ...databaseArgument(client))

/** Connector/J 8 and 9: sslMode replaces useSSL, requireSSL and verifyServerCertificate. https://dev.mysql.com/doc/connector-j/en/connector-j-connp-props-security.html */
export const connectorJ = (context: Context, client: Client): string =>
  lines(
    '# MySQL Connector/J 8 and 9',
    clientNote(client),
    `url=${propertyValue(jdbcUrl('mysql', context, client))}`,
    client.username === undefined ? undefined : `user=${propertyValue(client.username)}`,
    'sslMode=VERIFY_IDENTITY',
    // Else a truststore that cannot be read would be replaced by the JVM's own in silence.
    'fallbackToSystemTrustStore=false',
    ...storeProperties(client),
  )

const storeProperties = (client: Client): string[] => {
  if (client.trust.password === undefined && !client.java)
    return ['# For keystore and truststore set java: true on this client of the profile.']
  const trust = [
    `trustCertificateKeyStoreUrl=file:${client.trust.store}`,
    `trustCertificateKeyStoreType=${client.trust.storeType}`,
    ...(client.trust.password === undefined ? [] : [`trustCertificateKeyStorePassword=${client.trust.password}`]),
  ]
  if (!hasCertificate(client)) return trust
  if (!client.java)
    return [...trust, '# For a keystore with its certificate set java: true on this client of the profile.']
  const passwords = ['clientCertificateKeyStorePassword']
  if (client.trust.password === undefined) passwords.unshift('trustCertificateKeyStorePassword')
  return [
    ...trust,
    `clientCertificateKeyStoreUrl=file:${client.files.keystore}`,
    `clientCertificateKeyStoreType=${client.files.storeType}`,
    `# ${passwords.join(' and ')}: ${passwordNote(client)}.`,
  ]
}

/** The database is part of the URL's path; without one the path is empty. */
export const jdbcUrl = (scheme: string, context: Context, client: Pick<Client, 'database'>): string =>
  `jdbc:${scheme}://${uriHost(context.host)}:${context.port}/${uriPart(client.database ?? '')}`

/** https://documentation.open-xchange.com/ "Database Connection Encryption": the file of Open-Xchange's middleware, for Connector/J 5.1 to 9. */
export const dbconnectorYaml = (client: Client): string => {
  const store = (name: string, file: string, type: StoreType): string[] => [
    `    ${name}Url: ${quotedString(`file:${file}`)}`,
    `    ${name}Type: ${type}`,
  ]
  const { trust, files } = client
  const hasTrust = client.java || trust.password !== undefined
  const hasKey = client.java && hasCertificate(client)
  const passwords = [
    ...(hasTrust && trust.password === undefined ? ['trustCertificateKeyStorePassword'] : []),
    ...(hasKey ? ['clientCertificateKeyStorePassword'] : []),
  ]
  return lines(
    clientNote(client),
    'com.mysql.jdbc:',
    '    useUnicode: true',
    '    characterEncoding: UTF-8',
    '    autoReconnect: false',
    '    useServerPrepStmts: false',
    '    useTimezone: true',
    '    serverTimezone: UTC',
    '    connectTimeout: 15000',
    '    socketTimeout: 15000',
    '    # Connector/J 8.0.13 and later goes by sslMode, an older one by the three lines below it.',
    '    sslMode: VERIFY_IDENTITY',
    '    useSSL: true',
    '    requireSSL: true',
    '    verifyServerCertificate: true',
    ...(hasTrust ? store('trustCertificateKeyStore', trust.store, trust.storeType) : []),
    trust.password === undefined ? undefined : `    trustCertificateKeyStorePassword: ${quotedString(trust.password)}`,
    ...(hasKey ? store('clientCertificateKeyStore', files.keystore, files.storeType) : []),
    client.java || !hasCertificate(client)
      ? undefined
      : '    # For keystore and truststore set java: true on this client of the profile.',
    passwords.length === 0 ? undefined : `    # Add ${passwords.join(' and ')}: ${passwordNote(client)}.`,
  )
}

/** How a person connects and sees that it is encrypted. */
export const clientCommands = (context: Context, notes: readonly string[]): string =>
  commandsPage(
    context,
    (client) => [
      `${mountWords(client)}.`,
      '',
      fenced(
        'sh',
        '# mysql of MySQL 5.7 and 8.x, and later',
        mysqlCommand(context, client),
        '# mariadb or mysql of MariaDB, which has no --ssl-mode',
        mariadbCommand(context, client),
      ),
      '',
    ],
    [
      'Programs: mysql2 for Node looks at the name of the server with `ssl: { verifyIdentity: true }` alone, and takes any without it.',
      '',
      'Once connected, this shows the cipher in use, and must not be empty:',
      '',
      fenced('sql', "SHOW SESSION STATUS LIKE 'Ssl_cipher';"),
      '',
      ...notes,
    ],
  )
