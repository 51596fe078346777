/**
 * What a driver threw → a ReloadError. Drivers put the same failure in many forms, and some quote what they were given, so nothing
 * of theirs is passed on but what the server says of its statement, cleared of secrets.
 */

import { redactText } from '../../runtime/redact.ts'
import type { Order } from './order.ts'
import { ReloadError, type ReloadReason } from './reload-error.ts'

export const faultOf = (error: unknown, order: Order): ReloadError => {
  if (error instanceof ReloadError) return error
  const links = linksOf(error)
  for (const { reason, when, say } of rules) {
    const found = links.find(when)
    if (found !== undefined) return new ReloadError(reason, say(order, clear(found.message, order)))
  }
  const theirs = links.find(isServers)
  if (theirs !== undefined)
    return new ReloadError('StatementFailed', `the server says: ${clear(theirs.message, order)}`)
  const words = links[0] === undefined ? 'something that is no error' : clear(links[0].message, order)
  return new ReloadError('WrongProtocol', `the conversation broke off: ${words}`)
}

interface Link {
  /** Of Node, of OpenSSL, of the server; '' where there is none. */
  readonly code: string
  readonly message: string
  /** Number that a MySQL server gave, or MongoDB. */
  readonly number: number | undefined
  readonly name: string
}

const mostLinks = 20

/** The error, what caused it, and what it is made of. */
const linksOf = (error: unknown): Link[] => {
  const links: Link[] = []
  const queue: unknown[] = [error]
  // Grows as it is gone through; bounded, since causes may go round.
  for (const at of queue) {
    if (links.length === mostLinks) break
    if (!(at instanceof Error)) continue
    const { code, errno, cause, errors, name, message } = at as Error & Record<string, unknown>
    links.push({
      code: typeof code === 'string' ? code : '',
      number: typeof code === 'number' ? code : typeof errno === 'number' ? errno : undefined,
      message,
      name,
    })
    queue.push(cause, ...(Array.isArray(errors) ? errors.slice(0, mostLinks) : []))
  }
  return links
}

interface Rule {
  readonly reason: ReloadReason
  readonly when: (link: Link) => boolean
  readonly say: (order: Order, words: string) => string
}

const codes = (...list: readonly string[]) => {
  const known = new Set(list)
  return ({ code }: Link): boolean => known.has(code)
}
const numbers = (...list: readonly number[]) => {
  const known = new Set(list)
  return ({ number }: Link): boolean => number !== undefined && known.has(number)
}
const words =
  (expression: RegExp) =>
  ({ message }: Link): boolean =>
    expression.test(message)
const any =
  (...list: readonly ((link: Link) => boolean)[]) =>
  (link: Link): boolean =>
    list.some((one) => one(link))

const showing = ({ account }: Order): string =>
  account.certificate === undefined ? 'none was shown' : 'the one that was shown is not trusted, or out of date'

const login = ({ account: { username, password, certificate } }: Order): string =>
  [
    username === undefined ? 'without a name' : `as ${JSON.stringify(username)}`,
    password === undefined ? 'without a password' : 'with the password given',
    certificate === undefined ? 'and without a client certificate' : 'and with the client certificate given',
  ].join(' ')

/** The first that fits any link decides, so what is most exact comes first. */
const rules: readonly Rule[] = [
  {
    reason: 'ServerNotVerified',
    when: any(
      codes('ERR_TLS_CERT_ALTNAME_INVALID', 'HOSTNAME_MISMATCH', 'IP_ADDRESS_MISMATCH'),
      words(/^Hostname\/IP does not match certificate's altnames/),
    ),
    say: ({ serverName }) => `the certificate that the server shows is not for ${serverName}`,
  },
  {
    reason: 'ServerNotVerified',
    when: any(
      codes(
        ...['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'CERT_SIGNATURE_FAILURE', 'CERT_UNTRUSTED', 'CERT_REJECTED'],
        ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_GET_ISSUER_CERT', 'CERT_REVOKED'],
        ...['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'INVALID_PURPOSE', 'INVALID_CA'],
      ),
      // mysql2 puts its own code over that of OpenSSL.
      words(
        /^(self[- ]signed certificate|unable to (verify|get)|certificate (has expired|is not yet valid|signature))/,
      ),
      words(/^(unsupported|unsuitable) certificate purpose/),
    ),
    say: (_, said) => `the certificate that the server shows does not verify (${said}), so no password was sent to it`,
  },
  {
    // RFC 8446 §6.2: bad, unsupported, revoked, expired, unknown certificate; unknown CA; access denied; certificate required.
    reason: 'CertificateRefused',
    when: words(/SSL alert number (4[2-9]|116)\b/),
    say: (order) => `the server wants a client certificate of a CA it trusts; ${showing(order)}`,
  },
  {
    reason: 'TLSOff',
    when: any(codes('HANDSHAKE_NO_SSL_SUPPORT'), words(/server does not support (SSL|secure) connections?/i)),
    say: () => 'the server has TLS switched off, so no password was sent to it',
  },
  {
    reason: 'PrivilegeMissing',
    when: any(
      // ER_SPECIFIC_ACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR; 42501 insufficient_privilege; MongoDB Unauthorized
      codes('ER_SPECIFIC_ACCESS_DENIED_ERROR', 'ER_DBACCESS_DENIED_ERROR', '42501'),
      ({ name, number }) => name.startsWith('Mongo') && number === 13,
      words(/^(-?NOPERM) /),
    ),
    say: (_, said) => `the account may not run it: ${said}`,
  },
  {
    reason: 'LoginRefused',
    when: any(
      ...[codes('ER_ACCESS_DENIED_ERROR', 'ER_ACCESS_DENIED_NO_PASSWORD_ERROR', 'ER_ACCOUNT_HAS_BEEN_LOCKED')],
      ...[codes('ER_MUST_CHANGE_PASSWORD', 'ER_MUST_CHANGE_PASSWORD_LOGIN', 'AUTH_SWITCH_PLUGIN_ERROR')],
      ...[numbers(1045, 1698, 3118, 1820, 1862, 3955), codes('28P01', '28000')],
      ({ name, number }) => name.startsWith('Mongo') && (number === 18 || number === 11),
      words(/^(-?(WRONGPASS|NOAUTH)) /),
      words(/^SASL: .*password must be a/),
      words(/AuthenticationFailed|requires authentication/i),
    ),
    say: (order) => `nobody may log in ${login(order)}`,
  },
  {
    reason: 'LoginRefused',
    when: codes('3D000', 'ER_BAD_DB_ERROR'),
    say: ({ account }) => `there is no database ${JSON.stringify(account.database ?? 'postgres')} to log in to`,
  },
  {
    reason: 'Unreachable',
    when: any(
      codes('ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'ENOTFOUND', 'EAI_AGAIN'),
      codes('EADDRNOTAVAIL', 'EACCES', 'EPERM'),
    ),
    say: ({ address, port }) => `nobody answers at ${address} port ${port}`,
  },
  {
    reason: 'Busy',
    when: any(
      // Too many connections, blocked, shutting down; PostgreSQL classes 53 and 57P0x; Redis while it loads.
      codes('ER_CON_COUNT_ERROR', 'ER_TOO_MANY_USER_CONNECTIONS', 'ER_HOST_IS_BLOCKED', 'ER_SERVER_SHUTDOWN'),
      codes('53300', '57P01', '57P02', '57P03'),
      numbers(1040, 1129, 1203, 1053),
      words(/^(-?(LOADING|BUSY|MASTERDOWN)) |max number of clients reached/),
    ),
    say: (_, said) => `the server takes no connection now: ${said}`,
  },
  {
    reason: 'TimedOut',
    when: any(codes('ETIMEDOUT', 'ESOCKETTIMEDOUT'), words(/\b(timed? ?out|timeout)\b/i)),
    say: ({ address, port }) => `the server at ${address} port ${port} did not answer in time`,
  },
  {
    reason: 'Closed',
    when: any(
      codes('ECONNRESET', 'EPIPE', 'PROTOCOL_CONNECTION_LOST', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'),
      words(/^(Connection (lost|terminated|ended)|Socket closed|The client is closed|Lost connection)/i),
      words(/^connection \d+ to .* closed|socket disconnected before secure TLS connection/i),
    ),
    say: (order) =>
      `the server hung up without a word; some do so where they do not like the client certificate (${order.account.certificate === undefined ? 'none was shown' : 'one was shown'})`,
  },
]

/** Whether a server said it, and not the driver. */
const isServers = ({ code, name, number, message }: Link): boolean =>
  /^(ER_\w+|[0-9A-Z]{5})$/.test(code) ||
  name === 'MongoServerError' ||
  number !== undefined ||
  /^[A-Z]{3,} /.test(message)

const mostWords = 300

/** One line, without what the account knows, and not long. */
const clear = (text: string, { account }: Order): string => {
  const secrets = [account.password, account.certificate?.key].flatMap((secret) =>
    secret === undefined || secret === '' ? [] : formsOf(secret),
  )
  const open = secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text.slice(0, 10_000))
  const line = redactText(open)
    // Control characters, and those that turn the direction of text.
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
  return line.length > mostWords ? `${line.slice(0, mostWords)}…` : line.replace(/\.$/, '')
}

/** As it is, and as it stands in URIs, JSON and base64. */
const formsOf = (secret: string): string[] =>
  [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret, 'utf8').toString('base64').replace(/=+$/, ''),
  ].toSorted((a, b) => b.length - a.length)
