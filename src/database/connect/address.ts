/** Where a server is: HOST:PORT in words, and the addresses behind a name. */

import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { FaultError } from './fault.ts'

export interface Endpoint {
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
}

/** `host:port`, an IPv6 address in brackets; undefined where the text is none of these. */
export const parseEndpoint = (text: string): Endpoint | undefined => {
  const [, bracketed, plain, digits = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (digits === '' || port < 1 || port > 65_535) return undefined
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? { host: bracketed, port } : undefined
  const host = plain ?? ''
  const isName = /^(?=.{1,253}$)[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?\.?$/.test(host)
  return isName ? { host, port } : undefined
}

export const formatEndpoint = ({ host, port }: Endpoint): string =>
  isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`

export type Lookup = (host: string) => Promise<readonly string[]>

/** More pods than these behind one name are not asked one by one. */
const mostAddresses = 256

const systemLookup: Lookup = async (host) =>
  (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address)

const notFound = new Set(['ENOTFOUND', 'ENODATA', 'EAI_NONAME', 'EAI_NODATA'])

/**
 * Every address behind the endpoint's name, each once, in order. The name is looked up as other programs on this machine do
 * (search domains, hosts file). Throws FaultError.
 */
export const addressesOf = async (
  { host }: Endpoint,
  options: { readonly lookup?: Lookup; readonly signal?: AbortSignal } = {},
): Promise<readonly string[]> => {
  if (isIP(host) !== 0) return [host]
  const { signal } = options
  const found = await abortable((options.lookup ?? systemLookup)(host), host, signal)
  const addresses = [...new Set(found)].slice(0, mostAddresses)
  if (addresses.length === 0) throw new FaultError('NameNotFound', `the name ${host} has no address`)
  return addresses
}

/** A look-up of the system cannot be called off; who waited for it can. */
const abortable = (
  found: Promise<readonly string[]>,
  host: string,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> =>
  new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new FaultError('Aborted', `the look-up of ${host} was called off`))
    if (signal?.aborted) onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    found
      .then(resolve, (error: NodeJS.ErrnoException) => {
        const code = error.code ?? ''
        if (notFound.has(code)) reject(new FaultError('NameNotFound', `the name ${host} is unknown (${code})`))
        else reject(new FaultError('NoAnswer', `the name ${host} could not be looked up (${code})`, { cause: error }))
      })
      .finally(() => signal?.removeEventListener('abort', onAbort))
  })
