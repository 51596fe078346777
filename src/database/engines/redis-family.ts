/** What Redis and Valkey share. https://redis.io/docs/latest/operate/oss_and_stack/management/security/encryption/, https://valkey.io/topics/encryption/ */
import { asksAll } from './demands.ts'
import type { Client, Context, Definition } from './engine.ts'
import { shellCommand } from './quote/shell.ts'
import { uriHost, uriPart } from './quote/uri.ts'
import { commandsPage, fenced, hasCertificate, lines, mountNote, mountWords, passwordNote } from './text.ts'
import type { Version } from './version.ts'

export const redisConf = (context: Context, more: readonly string[]): string =>
  lines(
    ...mountNote(context),
    '# No connection in the clear',
    'port 0',
    `tls-port ${context.port}`,
    `tls-cert-file ${context.server.files.certificate}`,
    `tls-key-file ${context.server.files.key}`,
    `tls-ca-cert-file ${context.clientTrust}`,
    `tls-auth-clients ${asksAll(context) ? 'yes' : 'optional'}`,
    'tls-replication yes',
    '# Where it is a cluster; set cluster-announce-hostname and cluster-preferred-endpoint-type hostname too (7.0 and later),',
    '# else clients are sent to addresses of pods, which no certificate names.',
    'tls-cluster yes',
    ...more,
  )

export const redisCommand = (program: string, context: Context, client: Client): string =>
  shellCommand(
    program,
    '-h',
    context.host,
    '-p',
    String(context.port),
    '--tls',
    '--sni',
    context.host,
    '--cacert',
    client.trust.pem,
    ...(hasCertificate(client) ? ['--cert', client.files.certificate, '--key', client.files.key] : []),
    ...(client.username === undefined ? [] : ['--user', client.username, '--askpass']),
  )

const uri = (context: Context, client: Client): string => {
  const user = client.username === undefined ? '' : `${uriPart(client.username)}@`
  return `rediss://${user}${uriHost(context.host)}:${context.port}`
}

export const commands = (program: string, context: Context, statement: string, notes: readonly string[]): string =>
  commandsPage(
    context,
    (client) => [
      `${mountWords(client)}. ${program} checks the certificate of the server, not its name; libraries check both.`,
      '',
      fenced('sh', redisCommand(program, context, client)),
      '',
      client.username === undefined
        ? 'For libraries, with the files above:'
        : 'For libraries, with the files above, and the password behind the user (`user:PASSWORD@`), where all of them find it:',
      '',
      fenced('text', uri(context, client)),
      '',
      ...(client.java
        ? [
            `Jedis and Lettuce: truststore ${client.trust.store}, keystore ${client.files.keystore}, both PKCS12;`,
            `their password: ${passwordNote(client)}.`,
            '',
          ]
        : []),
    ],
    [
      ...(context.managed
        ? []
        : [
            'After a renewal, also of the CA, in one command; the same paths again make the server read the files:',
            '',
            fenced('text', statement),
          ]),
      ...notes,
    ],
  )

/** The pair has to be set in one command, or the first half would not fit the second. */
export const reloadStatement: Definition['reload'] = (version, { server, clientTrust }) =>
  takesPairs(version)
    ? {
        leaf: 'Statement',
        authority: 'Statement',
        statements: [configSet(server.files, clientTrust)],
        onMismatch: 'KeepsOld',
      }
    : { leaf: 'Restart', authority: 'Restart', statements: [], onMismatch: 'KeepsOld' }

/** CONFIG SET of several parameters came with 7.0. */
const takesPairs = (version: Version): boolean => (version[0] ?? 0) >= 7

export const configSet = (files: { certificate: string; key: string }, clientTrust: string): string =>
  `CONFIG SET tls-cert-file ${files.certificate} tls-key-file ${files.key} tls-ca-cert-file ${clientTrust}`

/** ACL usernames hold no blanks. https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/ */
export const usernameForm = /^[^\s]+$/
