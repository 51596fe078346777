/** The one error of the cluster port, with the predicates controllers ask. */

export interface StatusCause {
  readonly reason?: string
  readonly message?: string
  readonly field?: string
}

export interface ApiErrorInit {
  /** HTTP status, or 0 when no answer came (connection reset, time-out, abort). */
  readonly status: number
  /** Status.reason (`NotFound`, `Conflict`, `AlreadyExists`, `Expired`, `Invalid` …) or one derived from the HTTP status. */
  readonly reason: string
  readonly message: string
  readonly retryAfterMs?: number | undefined
  readonly causes?: readonly StatusCause[]
  /** True for a write whose outcome is unknown: it may have been committed. */
  readonly ambiguous?: boolean
  readonly cause?: unknown
}

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly reason: string
  readonly retryAfterMs: number | undefined
  readonly causes: readonly StatusCause[]
  readonly ambiguous: boolean

  constructor(init: ApiErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause })
    this.status = init.status
    this.reason = init.reason
    this.retryAfterMs = init.retryAfterMs
    this.causes = init.causes ?? []
    this.ambiguous = init.ambiguous ?? false
  }
}

const is =
  (test: (error: ApiError) => boolean) =>
  (error: unknown): error is ApiError =>
    error instanceof ApiError && test(error)

export const isNotFound = is((e) => e.status === 404)
export const isAlreadyExists = is((e) => e.status === 409 && e.reason === 'AlreadyExists')
/** A failed precondition (uid, resourceVersion) or a field conflict of server-side apply. */
export const isConflict = is((e) => e.status === 409 && e.reason !== 'AlreadyExists')
/** The resourceVersion or continue token is too old: list again. */
export const isExpired = is((e) => e.status === 410)
export const isForbidden = is((e) => e.status === 403)
/** A create in a namespace that is being deleted: give up quietly. */
export const isNamespaceTerminating = is(
  (e) => e.status === 403 && e.causes.some((c) => c.reason === 'NamespaceTerminating'),
)
/** The object violates the schema, a CEL rule, a size limit (422, 413), or an admission policy said no. */
export const isInvalid = is((e) => e.status === 422 || e.status === 413 || e.status === 400)
/** The server or the way to it has trouble; the same call may pass later. */
export const isTransient = is((e) => e.status === 0 || e.status === 429 || e.status >= 500 || e.status === 401)

/** What a read answers, or undefined where there is no such object; every other error is thrown. */
export const ifFound = async <T>(read: Promise<T>): Promise<T | undefined> => {
  try {
    return await read
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
