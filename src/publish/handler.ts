/**
 * What is served to everybody: certificates and revocation lists of the authorities that say `spec.publish`, certificates by
 * serial number, and pages for people. Nothing private is at hand here, and every replica serves.
 */

import type { IncomingMessage } from 'node:http'
import { ApiError } from '../cluster/errors.ts'
import { type Cluster, keyOf } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import { certsOnly } from '../pki/certificates/certs-only.ts'
import { encodeCertificates } from '../pki/encoding/pem.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Logger } from '../runtime/log.ts'
import { type Handler, type Reply, textReply } from '../server/http.ts'
import { preferred } from '../server/negotiation.ts'
import { queryOf, segmentsOf } from '../server/target.ts'
import { type AuthorityCertificates, AuthorityCertificateReader, type CertificateSources } from './certificates.ts'
import { contentSecurityPolicy } from '../server/html.ts'
import { type Issued, IssuedReader, jsonOf, pemOf, serialNumberOf, textOf } from './issued.ts'
import { KeyReader } from './keys.ts'
import { authorityPage, indexPage, issuedPage, notFoundPage } from './pages.ts'
import type { Route } from './routes.ts'
import type { RevocationListView } from './revocation-list.ts'

export interface PublisherOptions extends CertificateSources {
  readonly cluster: Cluster
  readonly caches: Pick<Caches, 'authorities' | 'ledger' | 'configMaps'>
  /** Verified; undefined where there is none. */
  readonly revocationListOf: (authority: CertificateAuthority) => Promise<RevocationListView | undefined>
  /** Wall clock, ms. */
  readonly now: () => number
  readonly log: Logger
}

/** A renewed certificate is seen by everybody within this time, and so is a revocation. */
const longestAgeSeconds = 3600

type FileSuffix = 'crt' | 'cer' | 'pem' | 'p7c' | 'crl'
const suffixes: ReadonlySet<string> = new Set<FileSuffix>(['crt', 'cer', 'pem', 'p7c', 'crl'])

type KeyFileSuffix = 'crt' | 'cer' | 'crl'
/** Below the address of an authority: a key identifier, as certificates name it. */
const keyFile = /^([0-9a-f]+)\.(crt|cer|crl)$/

const forms = {
  text: 'text/plain',
  pem: 'application/x-pem-file',
  chain: 'application/pem-certificate-chain',
  der: 'application/pkix-cert',
  json: 'application/json',
  html: 'text/html',
} as const
const offers = [forms.text, forms.pem, forms.chain, forms.der, forms.json, forms.html] as const

export class Publisher {
  readonly #options: PublisherOptions
  readonly #certificates: AuthorityCertificateReader
  readonly #issued: IssuedReader
  readonly #keys: KeyReader

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#certificates = new AuthorityCertificateReader(options)
    this.#keys = new KeyReader({ ...options, ownOf: async (of) => (await this.#certificates.read(of))?.own })
    this.#issued = new IssuedReader(options.cluster, options.caches, options.now)
  }

  readonly handler: Handler = async (_, request) => {
    const { caches, log } = this.#options
    if (![caches.authorities, caches.ledger, caches.configMaps].every(({ hasSynced }) => hasSynced))
      return unavailable('just started; the caches are not filled yet')
    try {
      return await this.#answer(request)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      log.warn('a request for what is published could not be answered', { path: request.url, error })
      return unavailable('the cluster does not answer')
    }
  }

  async #answer(request: IncomingMessage): Promise<Reply | undefined> {
    const [root, namespace, last, certs, serial, ...more] = segmentsOf(request.url ?? '') ?? ['']
    if (root === undefined) return this.#index()
    if (root !== 'ca' || namespace === undefined || last === undefined || more.length > 0) return undefined
    if (certs === undefined) {
      const dot = last.lastIndexOf('.')
      const suffix = last.slice(dot + 1)
      // A name may end in such a suffix, too; its page is then out of reach, its files are not.
      return dot > 0 && suffixes.has(suffix)
        ? this.#file(namespace, last.slice(0, dot), suffix as FileSuffix)
        : this.#page(namespace, last)
    }
    const ofKey = serial === undefined ? keyFile.exec(certs) : null
    if (ofKey !== null) return this.#fileOfKey(namespace, last, ofKey[1] as string, ofKey[2] as KeyFileSuffix)
    if (certs !== 'certs') return undefined
    return serial === undefined
      ? this.#lookUp(namespace, last, request)
      : this.#issuedAs(namespace, last, serial, request)
  }

  #published(namespace: string, name: string): CertificateAuthority | undefined {
    const authority = this.#options.caches.authorities.store.get(`${namespace}/${name}`)
    return authority?.spec.publish === undefined ? undefined : authority
  }

  #index(): Reply {
    const authorities = [...this.#options.caches.authorities.store.values()]
      .filter(({ spec }) => spec.publish !== undefined)
      .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    return htmlReply('index', 200, indexPage(authorities))
  }

  async #file(namespace: string, name: string, suffix: FileSuffix): Promise<Reply> {
    const route: Route = suffix
    const authority = this.#published(namespace, name)
    if (authority === undefined) return notPublished(route)
    if (suffix === 'crl') return this.#revocationList(name, await this.#options.revocationListOf(authority))
    const certificates = await this.#certificates.read(authority)
    return certificates === undefined ? noCertificate(route) : certificateFile(name, suffix, certificates)
  }

  async #fileOfKey(namespace: string, name: string, keyId: string, suffix: KeyFileSuffix): Promise<Reply> {
    const authority = this.#published(namespace, name)
    if (authority === undefined) return notPublished(suffix)
    if (suffix === 'crl') return this.#revocationList(keyId, await this.#keys.revocationList(authority, keyId))
    const own = await this.#keys.certificate(authority, keyId)
    return own === undefined ? noSuchKey(suffix) : certificateFile(keyId, suffix, { own, all: [own] })
  }

  #revocationList(name: string, list: RevocationListView | undefined): Reply {
    const route: Route = 'crl'
    if (list === undefined) return { ...textReply(404, 'this authority publishes no revocation list\n'), route }
    const { nextUpdate, thisUpdate } = list
    const left = nextUpdate === undefined ? 0 : Math.floor((nextUpdate - this.#options.now()) / 1000)
    return file(route, `${name}.crl`, 'application/pkix-crl', list.der, {
      lastModified: thisUpdate,
      maxAge: Math.max(0, Math.min(left, longestAgeSeconds)),
      // For caches that know no max-age: the list says itself until when it may be used.
      ...(nextUpdate === undefined ? {} : { expires: nextUpdate }),
    })
  }

  async #page(namespace: string, name: string): Promise<Reply> {
    const route: Route = 'authority'
    const authority = this.#published(namespace, name)
    if (authority === undefined) return notPublished(route)
    const certificates = await this.#certificates.read(authority)
    if (certificates === undefined) return noCertificate(route)
    const signs = authority.spec.source.trustOnly === undefined
    const revocationList = signs ? await this.#options.revocationListOf(authority) : undefined
    const view = { authority, certificates, revocationList, signs, now: this.#options.now() }
    return htmlReply(route, 200, authorityPage(view))
  }

  /** Where the form of the page goes: to the one address of that serial number. */
  #lookUp(namespace: string, name: string, { url = '' }: IncomingMessage): Reply {
    const route: Route = 'lookup'
    const authority = this.#published(namespace, name)
    if (authority === undefined) return notPublished(route)
    const entered = queryOf(url).get('serial') ?? ''
    const serial = serialNumberOf(entered)
    if (serial !== undefined) return { ...textReply(303, `certs/${serial}\n`, { location: `certs/${serial}` }), route }
    const problem = 'Write the serial number in hexadecimal digits, such as 4F0C, with or without colons.'
    return htmlReply(route, 400, notFoundPage(authority, entered, problem, '../'))
  }

  async #issuedAs(namespace: string, name: string, text: string, { headers }: IncomingMessage): Promise<Reply> {
    const route: Route = 'certs'
    const authority = this.#published(namespace, name)
    if (authority === undefined) return notPublished(route)
    const form = preferred(headers.accept, offers)
    if (form === undefined) return { ...textReply(406, `there is ${offers.join(', ')}\n`, { vary: 'accept' }), route }
    const serial = serialNumberOf(text)
    const issued = serial === undefined ? undefined : await this.#issued.read(authority, serial)
    if (issued === undefined) {
      const problem = `No certificate with this serial number was signed by ${namespace}/${name}.`
      if (form !== forms.html) return { ...textReply(404, `${problem}\n`, { vary: 'accept' }), route }
      return htmlReply(route, 404, notFoundPage(authority, text, problem, '../../'), { vary: 'accept' })
    }
    return this.#inForm(route, form, authority, issued)
  }

  #inForm(route: Route, form: (typeof offers)[number], authority: CertificateAuthority, issued: Issued): Reply {
    const headers = { vary: 'accept', 'cache-control': 'no-cache' }
    const reply = (contentType: string, body: string | Uint8Array): Reply => ({
      status: 200,
      contentType,
      body,
      headers,
      cacheable: {},
      route,
    })
    switch (form) {
      case 'text/plain':
        return reply('text/plain; charset=utf-8', textOf(issued))
      case 'application/json':
        return reply('application/json', jsonOf(authority, issued))
      case 'text/html':
        return htmlReply(route, 200, issuedPage(authority, issued, this.#options.now()), headers)
      case 'application/pkix-cert':
        return reply(form, issued.certificate.der)
      default:
        return reply(form, pemOf(issued))
    }
  }
}

const unavailable = (why: string): Reply => textReply(503, `${why}\n`, { 'retry-after': '5' })

const notPublished = (route: Route): Reply => ({
  ...textReply(404, 'no authority of this name is published here\n'),
  route,
})

const noSuchKey = (route: Route): Reply => ({
  ...textReply(404, 'nothing is known of a key of this authority with this identifier\n'),
  route,
})

const noCertificate = (route: Route): Reply => ({
  ...textReply(404, 'this authority has no certificate yet\n'),
  route,
})

const certificateFile = (
  name: string,
  suffix: Exclude<FileSuffix, 'crl'>,
  { own, all }: AuthorityCertificates,
): Reply => {
  const served = (type: string, body: string | Uint8Array): Reply =>
    file(suffix, `${name}.${suffix}`, type, body, { maxAge: longestAgeSeconds })
  switch (suffix) {
    case 'pem':
      return served('application/x-pem-file', encodeCertificates(all.map(({ der }) => der)))
    case 'p7c':
      return served('application/pkcs7-mime; smime-type=certs-only', certsOnly(all.map(({ der }) => der)))
    default:
      if (own === undefined)
        return { ...textReply(404, `there are several roots; take ${name}.pem or ${name}.p7c\n`), route: suffix }
      return served(suffix === 'crt' ? 'application/x-x509-ca-cert' : 'application/pkix-cert', own.der)
  }
}

const file = (
  route: Route,
  name: string,
  contentType: string,
  body: string | Uint8Array,
  age: { readonly maxAge: number; readonly lastModified?: number; readonly expires?: number },
): Reply => ({
  status: 200,
  contentType,
  body,
  headers: {
    'cache-control': `public, max-age=${age.maxAge}`,
    'content-disposition': `attachment; filename="${name}"`,
    ...(age.expires === undefined ? {} : { expires: new Date(age.expires).toUTCString() }),
  },
  cacheable: { lastModified: age.lastModified },
  route,
})

const htmlReply = (
  route: Route,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Reply => ({
  status,
  contentType: 'text/html; charset=utf-8',
  body,
  headers: {
    'cache-control': 'no-cache',
    'content-security-policy': contentSecurityPolicy,
    'referrer-policy': 'no-referrer',
    ...headers,
  },
  cacheable: {},
  route,
})
