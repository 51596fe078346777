/** The files of PostgreSQL. */
import { QuoteError, requireLine, requireText } from './quote-error.ts'

/** `'value'` in postgresql.conf, whose strings know backslash escapes (guc-file.l, DeescapeQuotedString). */
export const postgresqlSetting = (text: string): string => {
  requireText(text, 'postgresql.conf')
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll("'", "''")
  return `'${escaped}'`
}

/**
 * `"token"` in pg_hba.conf and pg_ident.conf: quoted, `all`, `+group` and `@file` lose their special meaning; a doubled quote is
 * one. https://www.postgresql.org/docs/current/auth-pg-hba-conf.html
 */
export const hbaToken = (text: string): string => {
  requireLine(text, 'pg_hba.conf')
  // Quotes do not take this one away: from PostgreSQL 16 on a token that begins with a slash is a regular expression.
  if (text.startsWith('/'))
    throw new QuoteError('pg_hba.conf takes a token that begins with "/" for a regular expression')
  return `"${text.replaceAll('"', '""')}"`
}

/**
 * A value in a connection service file, where nothing is quoted: it is the rest of the line without the blanks at its ends.
 * https://www.postgresql.org/docs/current/libpq-pgservice.html
 */
export const serviceValue = (text: string): string => {
  requireLine(text, 'a service file')
  if (text !== text.trim()) throw new QuoteError('a service file loses blanks at the ends of a value')
  return text
}
