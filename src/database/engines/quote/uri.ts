/** Parts of URIs. */
import { requireText } from './quote-error.ts'

/** Percent-encoded UTF-8 of everything but the unreserved characters of RFC 3986 §2.3: fit for user, path segment and query. */
export const uriPart = (text: string): string => {
  requireText(text, 'a URI')
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** A host as it stands before the port; IPv6 addresses in brackets (RFC 3986 §3.2.2). `host` is a DNS name or an address. */
export const uriHost = (host: string): string => (host.includes(':') ? `[${host}]` : host)
