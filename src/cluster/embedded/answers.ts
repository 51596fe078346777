/** The refusals of the API server, in its words where people search for them. */
import { ApiError } from '../errors.ts'
import type { StatusCause } from '../errors.ts'
import type { Resource } from '../port.ts'
import { qualifiedName } from './kinds.ts'

export const notFound = (resource: Resource, name: string): ApiError =>
  new ApiError({ status: 404, reason: 'NotFound', message: `${qualifiedName(resource)} "${name}" not found` })

export const alreadyExists = (resource: Resource, name: string): ApiError =>
  new ApiError({
    status: 409,
    reason: 'AlreadyExists',
    message: `${qualifiedName(resource)} "${name}" already exists`,
  })

export const conflict = (resource: Resource, name: string, why: string): ApiError =>
  new ApiError({
    status: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${qualifiedName(resource)} "${name}": ${why}`,
  })

export const modified = (resource: Resource, name: string): ApiError =>
  conflict(
    resource,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  )

export const badRequest = (message: string): ApiError => new ApiError({ status: 400, reason: 'BadRequest', message })

export const invalid = (resource: Resource, name: string, causes: readonly StatusCause[]): ApiError => {
  const texts = causes.map(({ field, message }) => `${field}: ${message}`)
  return new ApiError({
    status: 422,
    reason: 'Invalid',
    message: `${resource.kind}${resource.group === '' ? '' : `.${resource.group}`} "${name}" is invalid: ${
      texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
    }`,
    causes,
  })
}

export const expired = (message: string): ApiError => new ApiError({ status: 410, reason: 'Expired', message })
