/** Answers of the API server that are not success → ApiError, without letting secret values into its message. */
import type { StatusCause } from '../errors.ts'
import { ApiError } from '../errors.ts'

/** metav1.Status, as far as it is read; nothing in it is trusted to have its type. */
interface RawStatus {
  readonly kind?: unknown
  readonly code?: unknown
  readonly reason?: unknown
  readonly message?: unknown
  readonly details?: { readonly causes?: unknown; readonly retryAfterSeconds?: unknown }
}

export interface StatusContext {
  /** The HTTP status, where the body does not name a code. */
  readonly fallbackStatus: number
  /** What was asked, for a message where the server gave none: `get secrets data/orders`. */
  readonly what: string
  readonly retryAfterMs?: number | undefined
  readonly ambiguous?: boolean
  /** The object carries secrets: values the server quotes are hidden. */
  readonly secret?: boolean
}

/** Reasons of an HTTP status that came without a Status body (a proxy, a load balancer, the in-flight limit). */
const reasons: ReadonlyMap<number, string> = new Map([
  [400, 'BadRequest'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'NotFound'],
  [405, 'MethodNotAllowed'],
  [406, 'NotAcceptable'],
  [409, 'Conflict'],
  [410, 'Expired'],
  [413, 'RequestEntityTooLarge'],
  [415, 'UnsupportedMediaType'],
  [422, 'Invalid'],
  [429, 'TooManyRequests'],
  [500, 'InternalError'],
  [502, 'BadGateway'],
  [503, 'ServiceUnavailable'],
  [504, 'Timeout'],
])

export const reasonOf = (status: number): string => reasons.get(status) ?? (status >= 500 ? 'InternalError' : 'Unknown')

const maxMessage = 1000

/** PEM blocks never, values the server quotes back from a Secret's data neither. */
const presentable = (message: string, secret: boolean): string => {
  const plain = message.replace(/-----BEGIN [^-]*-----[\s\S]*?(?:-----END [^-]*-----|$)/g, '<PEM>')
  const quoted = /(\b(?:data|stringData)\b[^\s:]*: (?:Invalid|Unsupported) value: ).*?(: (?=[a-z])|$)/gs
  const hidden = secret ? plain.replace(quoted, '$1<hidden>$2') : plain
  return hidden.length > maxMessage ? `${hidden.slice(0, maxMessage)}…` : hidden
}

/** Only the field of a cause says whether the value in its message comes from the data. */
const presentableCause = (message: string, field: unknown, secret: boolean): string => {
  const fromData = secret && typeof field === 'string' && /^(?:data|stringData)\b/.test(field)
  return fromData ? message.replace(/( value: ).*?(: (?=[a-z])|$)/gs, '$1<hidden>$2') : presentable(message, false)
}

const causesOf = (causes: unknown, secret: boolean): StatusCause[] => {
  if (!Array.isArray(causes)) return []
  return (causes as unknown[]).slice(0, 50).flatMap((cause) => {
    if (typeof cause !== 'object' || cause === null) return []
    const { reason, message, field } = cause as Record<string, unknown>
    return [
      {
        ...(typeof reason === 'string' ? { reason } : {}),
        ...(typeof message === 'string' ? { message: presentableCause(message, field, secret) } : {}),
        ...(typeof field === 'string' ? { field } : {}),
      },
    ]
  })
}

/** `body` is a parsed Status, or anything else: then only the HTTP status speaks. */
export const statusError = (body: unknown, context: StatusContext): ApiError => {
  const status = (typeof body === 'object' && body !== null ? body : {}) as RawStatus
  const secret = context.secret ?? false
  const code = typeof status.code === 'number' && status.code > 0 ? status.code : context.fallbackStatus
  const retryAfter = status.details?.retryAfterSeconds
  const message = typeof status.message === 'string' && status.message !== '' ? status.message : undefined
  return new ApiError({
    status: code,
    reason: typeof status.reason === 'string' && status.reason !== '' ? status.reason : reasonOf(code),
    message:
      message === undefined
        ? `${context.what}: the server answered ${code} without saying why`
        : presentable(message, secret),
    retryAfterMs:
      context.retryAfterMs ?? (typeof retryAfter === 'number' && retryAfter > 0 ? retryAfter * 1000 : undefined),
    causes: causesOf(status.details?.causes, secret),
    ambiguous: context.ambiguous ?? false,
  })
}

/** RFC 9110 §10.2.3: seconds or an HTTP date. ms from `now` on, never negative. */
export const parseRetryAfter = (value: string | undefined, now: number): number | undefined => {
  if (value === undefined) return undefined
  if (/^\s*[0-9]{1,9}\s*$/.test(value)) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}
