/** What Redis and Valkey share. https://redis.io/docs/latest/operate/oss_and_stack/management/security/encryption/, https://valkey.io/topics/encryption/ */
import { asksAll } from './demands.ts'
import type { Client, Context, Definition } from './engine.ts'
import { redisWord } from './quote/redis.ts'
import { shellCommand } from './quote/shell.ts'
import { uriHost, uriPart } from './quote/uri.ts'
import { javaLines } from './redis-java.ts'
import { commandsPage, fenced, hasCertificate, lines, mountNote, mountWords } from './text.ts'
import { isAtLeast, type Version } from './version.ts'

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

/** What the two call differently. */
interface Family {
  readonly program: string
  /** The version from which tls-auth-clients-user is known. */
  readonly certificateUsers: string
}

/**
 * Whether the common name of its certificate is the ACL user. An older server stops at a line it does not know, so only where the
 * version says it outright.
 */
const isKnown = ({ managed, version }: Context, { certificateUsers }: Family, { require }: Client): boolean =>
  require === 'Subject' && !managed && version.length > 1 && isAtLeast(version, certificateUsers)

export const certificateUsers = (context: Context, family: Family): string[] =>
  context.clients.some((client) => isKnown(context, family, client))
    ? ['# The common name of a certificate is the ACL user', 'tls-auth-clients-user CN']
    : []

/**
 * Commands, as a file of ACLs holds nothing else and would take the place of all users. No password is set here: without one nobody
 * logs in by AUTH; nopass would let everybody. https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/, https://valkey.io/topics/acl/
 */
export const accounts = (context: Context, family: Family): Record<string, string> => {
  // Channels came with 6.2.
  const rights = `~* ${isAtLeast(context.version, '6.2') ? '&* ' : ''}+@all -@admin`
  const users = context.clients.flatMap((client) =>
    // The administrator of many a server, who would lock himself out.
    client.username === undefined || client.username === 'default'
      ? []
      : [
          `ACL SETUSER ${redisWord(client.username)} on ${isKnown(context, family, client) ? 'resetpass ' : ''}${rights}`,
        ],
  )
  return users.length === 0 ? {} : { 'accounts.txt': lines(...new Set(users)) }
}

/** As whom a client logs in with a password; undefined where it does not. */
const loginOf = (family: Family, context: Context, client: Client): string | undefined =>
  isKnown(context, family, client) ? undefined : client.username

const redisCommand = (family: Family, context: Context, client: Client): string =>
  shellCommand(
    family.program,
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
    ...login(loginOf(family, context, client)),
  )

const login = (username: string | undefined): string[] =>
  username === undefined ? [] : ['--user', username, '--askpass']

const uri = (family: Family, context: Context, client: Client): string => {
  const username = loginOf(family, context, client)
  return `rediss://${username === undefined ? '' : `${uriPart(username)}@`}${uriHost(context.host)}:${context.port}`
}

export const commands = (family: Family, context: Context): string =>
  commandsPage(
    context,
    (client) => [
      `${mountWords(client)}. ${family.program} checks the certificate of the server, not its name; libraries check both.`,
      '',
      fenced('sh', redisCommand(family, context, client)),
      '',
      loginOf(family, context, client) === undefined
        ? 'For libraries, with the files above:'
        : 'For libraries, with the files above, and the password behind the user (`user:PASSWORD@`), where all of them find it:',
      '',
      fenced('text', uri(family, context, client)),
      '',
      ...(client.java ? javaLines({ context, client, username: loginOf(family, context, client) }) : []),
    ],
    [
      `\`accounts.txt\` of this ConfigMap, as input of an administrator's ${family.program}, makes the users on the server that it is sent to, until a`,
      'restart unless `ACL SAVE` or `CONFIG REWRITE` follows. `ACL SETUSER` gives one a password, with `>` before it; it belongs in no file.',
      'Who logs in as nobody is `default`, who may do all until it has a password too.',
      ...(context.managed
        ? []
        : [
            '',
            'After a renewal, also of the CA, in one command; the same paths again make the server read the files:',
            '',
            fenced('text', configSet(context.server.files, context.clientTrust)),
          ]),
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

const configSet = (files: { certificate: string; key: string }, clientTrust: string): string =>
  `CONFIG SET tls-cert-file ${files.certificate} tls-key-file ${files.key} tls-ca-cert-file ${clientTrust}`

/** ACL usernames hold no blanks. https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/ */
export const usernameForm = /^[^\s]+$/
