/** What `dbtls sign` is given: the request, and around it the DatabaseCertificate that would ask for the same. */

import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { KubeObject } from '../../cluster/port.ts'
import { encodePem } from '../../pki/encoding/pem.ts'
import { type CertificateRequest, parseRequest, RequestError } from '../../pki/requests/request.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import { admit } from '../../resources/validate.ts'
import { CommandError, isSystemError, systemErrorText } from '../shared/failures.ts'
import type { Io } from '../shared/io.ts'
import { UsageError } from '../shared/options.ts'

export interface Asked {
  /** As it was named, for sentences. */
  readonly source: string
  readonly request: CertificateRequest
}

/** A request is a few kilobytes; whatever is larger is something else. */
const mostBytes = 262_144

/** `-` is stdin. Rejects with CommandError for what cannot be read or is no request. */
export const readRequest = async (io: Io, file: string): Promise<Asked> => {
  const source = file === '-' ? 'the request on stdin' : file
  const bytes = file === '-' ? await fromStdin(io) : await fromFile(file)
  try {
    // PEM is ASCII, with any text around it; a DER request begins with a SEQUENCE.
    const request = parseRequest(bytes[0] === 0x30 ? bytes : bytes.toString('utf8'))
    return { source, request }
  } catch (error) {
    if (error instanceof RequestError) throw new CommandError(`${source}: ${error.message}`, { cause: error })
    throw error
  }
}

const fromFile = async (path: string): Promise<Buffer> => {
  try {
    // What is no regular file, as a FIFO, might never end.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const found = await file.stat()
      if (!found.isFile()) throw new CommandError(`${path} is not a file; a request from elsewhere comes with -f -`)
      if (found.size > mostBytes) throw tooLarge(path)
      return await file.readFile()
    } finally {
      await file.close()
    }
  } catch (error) {
    if (isSystemError(error)) throw new CommandError(`${path}: ${systemErrorText(error)}`, { cause: error })
    throw error
  }
}

const fromStdin = async ({ stdin }: Io): Promise<Buffer> => {
  if (stdin === undefined) throw new CommandError('there is no stdin to read the request from; name a file with -f')
  const parts: Buffer[] = []
  let size = 0
  for await (const part of stdin) {
    const bytes = Buffer.from(part as Uint8Array | string)
    size += bytes.length
    if (size > mostBytes) throw tooLarge('stdin')
    parts.push(bytes)
  }
  return Buffer.concat(parts)
}

const tooLarge = (what: string): CommandError =>
  new CommandError(`${what} has more than ${mostBytes} bytes; that is no certificate request`)

export interface Wish {
  readonly authority: { readonly namespace: string; readonly name: string }
  /** Of who asks, for `allowedNamespaces`. */
  readonly namespace: string
  readonly name: string
  readonly role: string | undefined
  readonly usages: string | undefined
  readonly duration: string | undefined
}

/** @throws UsageError where a flag's value is not one that a DatabaseCertificate takes. */
export const certificateFor = ({ request }: Asked, wish: Wish): DatabaseCertificate => {
  const { authority, namespace, name, role, usages, duration } = wish
  const object = {
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseCertificate',
    metadata: { namespace, name },
    spec: {
      authorityRef: authority,
      ...(role === undefined ? {} : { role: capitalised(role) }),
      ...(usages === undefined ? {} : { usages: usages.split(',').map((usage) => usage.trim()) }),
      ...(duration === undefined ? {} : { duration }),
      // The signer itself says it when a request is too long.
      request: { inline: 'request' },
      secret: { name },
    },
  } as unknown as KubeObject
  const admission = admit('DatabaseCertificate', object, undefined, { unknownFields: 'Refuse' })
  if ('object' in admission) {
    const admitted = admission.object as DatabaseCertificate
    const inline = encodePem('CERTIFICATE REQUEST', request.der)
    return { ...admitted, spec: { ...admitted.spec, request: { inline } } }
  }
  throw new UsageError(admission.problems.map(({ field, message }) => `${flagOf(field)}: ${message}`).join('; '))
}

const capitalised = (role: string): string => `${role.slice(0, 1).toUpperCase()}${role.slice(1).toLowerCase()}`

const flagOf = (field: string): string => {
  const [, member] = /^spec\.(role|usages|duration)\b/.exec(field) ?? []
  if (member !== undefined) return `--${member}`
  return field.startsWith('spec.request') ? 'the request' : field
}

/** The sentences of the controllers, in the words of this command line. */
export const inWordsOfTheVerb = (text: string, { source }: Asked): string =>
  text
    .replaceAll(/spec\.request(\.inline)?(?![.\w])/g, () => source)
    .replaceAll(/spec\.(role|usages|duration)(?![.\w])/g, '--$1')
    .replaceAll(/spec\.authorityRef(?![.\w])/g, '--authority')
