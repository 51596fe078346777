/** Conditional requests (RFC 9110 §13): the validators of an answer, and whether a client already has it. */

import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** A strong validator: equal exactly where the bytes are. */
export const entityTag = (body: string | Uint8Array): string =>
  `"${createHash('sha256').update(body).digest('base64url')}"`

/** One entity-tag (RFC 9110 §8.8.3) and the comma or the end after it. A comma inside the quotes belongs to the tag. */
const listed = /[ \t]*(?:(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*)?(?:,|$)/y

/**
 * If-None-Match against a tag, by weak comparison. A header that is no list of tags matches nothing: the client then gets
 * bytes that it may have, never a 304 for bytes that it lacks.
 */
export const isListed = (ifNoneMatch: string, tag: string): boolean => {
  if (ifNoneMatch.trim() === '*') return true
  let found = false
  for (let at = 0; at < ifNoneMatch.length; at = listed.lastIndex) {
    listed.lastIndex = at
    const match = listed.exec(ifNoneMatch)
    if (match === null) return false
    found ||= match[1] === tag
  }
  return found
}

/** The one date format that is written today (RFC 9110 §5.6.7). */
const fixedDate = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/

/** Whether a GET or HEAD is answered 304. `lastModified` in ms; If-Modified-Since counts only without If-None-Match. */
export const isUnchanged = (
  headers: Pick<IncomingHttpHeaders, 'if-none-match' | 'if-modified-since'>,
  tag: string,
  lastModified: number | undefined,
): boolean => {
  const { 'if-none-match': tags, 'if-modified-since': since } = headers
  if (tags !== undefined) return isListed(tags, tag)
  if (since === undefined || lastModified === undefined || !fixedDate.test(since)) return false
  return Math.floor(lastModified / 1000) * 1000 <= Date.parse(since)
}
