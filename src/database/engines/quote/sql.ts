/** SQL: names and strings. */
import { QuoteError, requireLine, requireText } from './quote-error.ts'

const doubled = (text: string, quote: string): string => quote + text.replaceAll(quote, quote + quote) + quote

/**
 * A string of MySQL, MariaDB or TiDB. A backslash is refused: what it means hangs on sql_mode (NO_BACKSLASH_ESCAPES), while a
 * doubled quote means the same in every mode. Set the connection's character set to utf8mb4 first.
 * https://dev.mysql.com/doc/refman/8.4/en/string-literals.html
 */
export const mysqlString = (text: string): string => {
  requireText(text, 'an SQL string')
  if (text.includes('\\'))
    throw new QuoteError('an SQL string that means the same in every sql_mode holds no backslash')
  return doubled(text, "'")
}

/** A quoted identifier, in which nothing but the backtick is special, in every sql_mode. */
export const mysqlName = (text: string): string => {
  requireText(text, 'an SQL identifier')
  return doubled(text, '`')
}

/** `'user'@'host'`; either part may be written as an identifier. https://dev.mysql.com/doc/refman/8.4/en/account-names.html */
export const mysqlAccount = (user: string, host: string): string => {
  const part = (text: string): string => (text.includes('\\') ? mysqlName(text) : mysqlString(text))
  return `${part(user)}@${part(host)}`
}

/** A quoted identifier of PostgreSQL, CockroachDB and CQL. */
export const sqlName = (text: string): string => {
  requireText(text, 'an SQL identifier')
  return doubled(text, '"')
}

/**
 * A string of CQL, in which nothing but the quote is special; it stands for the name of a role too.
 * https://cassandra.apache.org/doc/latest/cassandra/developing/cql/definitions.html#constants
 */
export const cqlString = (text: string): string => {
  requireLine(text, 'a string of CQL')
  return doubled(text, "'")
}
