/** What a request asks for: its target (RFC 9112 §3.2) taken apart. */

/** More of them no address of this program has. */
const mostSegments = 16

// oxlint-disable-next-line no-control-regex -- control characters are what must not pass
const forbidden = /[\x00-\x1f\x7f/\\]/

/**
 * The segments of the path, percent-decoded once; none for `/`. Undefined where the target has no path, is not valid
 * percent-encoded UTF-8, or has a segment that is empty, `.`, `..`, or holds a slash or a control character: nobody has to
 * ask how such a path is meant.
 */
export const segmentsOf = (target: string): readonly string[] | undefined => {
  const [authority = ''] = /^https?:\/\/[^/?#]*/i.exec(target) ?? []
  const path = target.slice(authority.length).replace(/[?#].*$/s, '')
  if (path === '/' || (path === '' && authority !== '')) return []
  if (!path.startsWith('/')) return undefined
  const encoded = path.slice(1).split('/')
  if (encoded.length > mostSegments) return undefined
  const segments: string[] = []
  for (const part of encoded) {
    const segment = decoded(part)
    if (segment === undefined || segment === '' || segment === '.' || segment === '..' || forbidden.test(segment))
      return undefined
    segments.push(segment)
  }
  return segments
}

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The query of a target; nothing in it makes this throw. */
export const queryOf = (target: string): URLSearchParams =>
  new URLSearchParams(/^[^?#]*\?([^#]*)/.exec(target)?.[1] ?? '')
