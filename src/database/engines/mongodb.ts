/**
 * MongoDB. https://www.mongodb.com/docs/manual/tutorial/configure-ssl/, https://www.mongodb.com/docs/manual/core/security-x.509/,
 * https://www.mongodb.com/docs/manual/tutorial/rotate-x509-membership-certificates/
 */
import { byCertificate, refusesDemands } from './demands.ts'
import type { Account, Client, Context, Definition, Holder, Identity } from './engine.ts'
import { clientItems, combinedItems } from './files.ts'
import { commaForm, knownByUnit, plainCommonName } from './identity.ts'
import { shellCommand } from './quote/shell.ts'
import { uriHost, uriPart } from './quote/uri.ts'
import { quotedString } from './quote/yaml.ts'
import { commandsPage, fenced, hasCertificate, lines, mountNote, mountWords, passwordNote } from './text.ts'

/** Whoever shows the O, OU and DC of the members is one, so the unit of clients has to be another. */
const members = (holder: Holder): Identity => knownByUnit('MongoDB', 'members', holder, 'mongod')

/** The whole subject is the user, so the common name is free, but it has to be plain: MongoDB escapes the rest its own way. */
const identity = (account: Account): Identity => knownByUnit('MongoDB', 'clients', account, plainCommonName(account))

const logsInByIt = (client: Client): boolean => hasCertificate(client) && byCertificate(client)

const mongodYaml = (context: Context): string =>
  lines(
    ...mountNote(context),
    'net:',
    '  tls:',
    '    mode: requireTLS',
    `    certificateKeyFile: ${context.server.files.combined}`,
    `    CAFile: ${context.clientTrust}`,
    context.clients.every(logsInByIt) ? undefined : '    allowConnectionsWithoutCertificates: true',
    'security:',
    '  authorization: enabled',
    '  clusterAuthMode: x509',
  )

const accountsJs = (context: Context): string => {
  const users = context.clients.filter((client) => client.username !== undefined && logsInByIt(client))
  return lines(
    '// With mongosh, as an administrator. A certificate is known by its whole subject, in the form of RFC 2253.',
    "const external = db.getSiblingDB('$external')",
    ...users.map((client) => {
      const user = quotedString(commaForm(client.subject ?? {}))
      const roles =
        client.database === undefined ? '[]' : `[{ role: 'readWrite', db: ${quotedString(client.database)} }]`
      return `if (external.getUser(${user}) === null) external.runCommand({ createUser: ${user}, roles: ${roles} })`
    }),
  )
}

/** https://www.mongodb.com/docs/manual/reference/connection-string/ */
export const mongodbUri = (context: Pick<Context, 'host' | 'port'>, client: Client): string => {
  const query = [
    'tls=true',
    `tlsCAFile=${uriPart(client.trust.pem)}`,
    ...(hasCertificate(client) ? [`tlsCertificateKeyFile=${uriPart(client.files.combined)}`] : []),
    ...(logsInByIt(client) ? ['authMechanism=MONGODB-X509', `authSource=${uriPart('$external')}`] : []),
  ].join('&')
  const user = logsInByIt(client) || client.username === undefined ? '' : `${uriPart(client.username)}@`
  return `mongodb://${user}${uriHost(context.host)}:${context.port}/${uriPart(client.database ?? '')}?${query}`
}

const commands = (context: Context): string =>
  commandsPage(
    context,
    (client) => [
      `${mountWords(client)}.`,
      '',
      fenced('sh', shellCommand('mongosh', mongodbUri(context, client))),
      '',
      ...(client.java
        ? [
            'The Java driver takes no PEM files from the connection string. Start the JVM with',
            '`-Djavax.net.ssl.keyStore=' +
              client.files.keystore +
              ' -Djavax.net.ssl.trustStore=' +
              client.trust.store +
              '`,',
            `and with their passwords: ${passwordNote(client)}.`,
            '',
          ]
        : []),
    ],
    context.managed
      ? []
      : [
          'After a renewal, also of the CA, on each mongod and mongos (5.0 and later), by a role with `rotateCertificates`:',
          '',
          fenced('js', 'db.adminCommand({ rotateCertificates: 1 })'),
        ],
  )

export const mongodb: Definition = {
  engine: 'MongoDB',
  versions: { oldest: '4.4', newest: '8' },
  port: 27017,
  dialect: 'mongodb',
  bareWildcards: false,
  serverRole: 'Peer',
  components: {},
  serverSubject: members,
  identity,
  refusesRequire: refusesDemands(
    'MongoDB',
    'MongoDB knows a client by its whole subject, and has no account for whatever a CA signs',
    'set require: X509, or TLS for a password',
  ),
  // A step in the path of a URI, however it is quoted: drivers would connect to no database.
  refusesDatabase: (database) =>
    database === '.' || database === '..'
      ? { problem: `MongoDB has no database "${database}"`, cure: 'name another one' }
      : undefined,
  serverItems: combinedItems,
  clientItems: clientItems(combinedItems),
  reload: (version) =>
    (version[0] ?? 0) >= 5
      ? {
          leaf: 'Statement',
          authority: 'Statement',
          statements: ['{ "rotateCertificates": 1 }'],
          onMismatch: 'KeepsOld',
        }
      : { leaf: 'Restart', authority: 'Restart', statements: [], onMismatch: 'KeepsOld' },
  serverFiles: (context) => ({ 'mongod.yaml': mongodYaml(context) }),
  clientFiles: (context) => ({ 'accounts.js': accountsJs(context), 'commands.md': commands(context) }),
}
