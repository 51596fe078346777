/** The pages for people: what is published, one authority, one certificate. Links are relative, so that they also work below a path. */

import { toTimestamp } from '../control/schedule.ts'
import { certificateText } from '../pki/text/certificate-text.ts'
import { commonNameOf, formatDistinguishedName } from '../pki/names/names.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { AuthorityCertificates } from './certificates.ts'
import { sha1Of, withColons } from './fingerprints.ts'
import { Html, markup, page } from '../server/html.ts'
import type { Issued } from './issued.ts'
import type { RevocationListView } from './revocation-list.ts'

/** Of the list of authorities. */
const mostListed = 1000

const time = (instant: number): Html | undefined => {
  if (Number.isNaN(instant)) return undefined
  const text = toTimestamp(instant)
  return markup`<time datetime="${text}">${text.replace('T', ' ').replace('Z', ' UTC')}</time>`
}

const validity = ({ notBefore, notAfter }: ParsedCertificate, now: number): Html | undefined => {
  if (now > notAfter) return markup`<p class="problem">This certificate has expired.</p>`
  return now < notBefore ? markup`<p class="problem">This certificate is not valid yet.</p>` : undefined
}

/** Text of others, so that its writing direction stays its own. */
const foreign = (text: string): Html => markup`<bdi>${text}</bdi>`

const titleOf = ({ metadata }: CertificateAuthority, certificates: AuthorityCertificates | undefined): string =>
  (certificates?.own === undefined ? undefined : commonNameOf(certificates.own.subject)) ?? metadata.name

export const indexPage = (authorities: readonly CertificateAuthority[]): string => {
  const row = ({ metadata, status }: CertificateAuthority): Html => {
    const { namespace = 'default', name } = metadata
    const certificate = status?.certificate
    return markup`<tr>
      <th scope="row"><a href="ca/${namespace}/${name}">${namespace}/${name}</a></th>
      <td>${foreign(certificate?.subject ?? '')}</td>
      <td>${certificate === undefined ? '' : time(Date.parse(certificate.notAfter))}</td>
    </tr> `
  }
  const left = authorities.length - mostListed
  return page(
    'Certificate authorities',
    markup`<main>
      <h1>Certificate authorities</h1>
      ${
        authorities.length === 0
          ? markup`<p>None is published here.</p>`
          : markup`<table>
              <thead>
                <tr>
                  <th scope="col">Authority</th>
                  <th scope="col">Subject</th>
                  <th scope="col">Valid until</th>
                </tr>
              </thead>
              <tbody>
                ${authorities.slice(0, mostListed).map(row)}
              </tbody>
            </table>`
      }
      ${left > 0 ? markup`<p>And ${left} more.</p>` : undefined}
    </main>`,
  )
}

const facts = (certificate: ParsedCertificate): Html =>
  markup`<dt>Subject</dt>
    <dd>${foreign(formatDistinguishedName(certificate.subject))}</dd>
    <dt>Issuer</dt>
    <dd>${foreign(formatDistinguishedName(certificate.issuer))}</dd>
    <dt>Serial number</dt>
    <dd><code>${certificate.serialNumber}</code></dd>
    <dt>Valid from</dt>
    <dd>${time(certificate.notBefore)}</dd>
    <dt>Valid until</dt>
    <dd>${time(certificate.notAfter)}</dd>
    <dt>SHA-256 fingerprint</dt>
    <dd><code>${withColons(certificate.fingerprint)}</code></dd>
    <dt>SHA-1 fingerprint</dt>
    <dd><code>${withColons(sha1Of(certificate))}</code></dd> `

const download = (name: string, suffix: string, what: string): Html =>
  markup`<li><a href="${name}.${suffix}" download>${name}.${suffix}</a>: ${what}</li> `

const revocationSection = (name: string, list: RevocationListView | undefined, now: number): Html => {
  if (list === undefined) return markup`<p>This authority publishes no revocation list.</p>`
  const late = list.nextUpdate !== undefined && now > list.nextUpdate
  return markup`${late ? markup`<p class="problem">A newer list should have been made by now.</p>` : undefined}
    <dl>
      <dt>Number</dt>
      <dd>${list.number === undefined ? 'none' : String(list.number)}</dd>
      <dt>Made</dt>
      <dd>${time(list.thisUpdate)}</dd>
      <dt>Next one by</dt>
      <dd>${list.nextUpdate === undefined ? 'not said' : time(list.nextUpdate)}</dd>
      <dt>Revoked certificates</dt>
      <dd>${list.entries}</dd>
    </dl>
    <ul>
      ${download(name, 'crl', 'the list in DER')}
    </ul>`
}

/** `action`: where the form goes, relative to the page. */
const lookUp = (action: string, entered: string, problem?: string): Html =>
  markup`<form method="get" action="${action}">
      <label for="serial">Serial number (hexadecimal)</label>
      <input
        id="serial"
        name="serial"
        value="${entered}"
        required
        maxlength="128"
        autocomplete="off"
        spellcheck="false"
        ${problem === undefined ? undefined : markup` aria-describedby="problem" aria-invalid="true"`}
      />
      <button type="submit">Look up</button>
    </form>
    ${problem === undefined ? undefined : markup`<p id="problem" class="problem" role="alert">${problem}</p>`}`

export interface AuthorityView {
  readonly authority: CertificateAuthority
  readonly certificates: AuthorityCertificates
  readonly revocationList: RevocationListView | undefined
  readonly signs: boolean
  readonly now: number
}

export const authorityPage = ({ authority, certificates, revocationList, signs, now }: AuthorityView): string => {
  const { namespace = 'default', name } = authority.metadata
  const { own, all } = certificates
  const others = all.filter((certificate) => certificate !== own)
  const title = titleOf(authority, certificates)
  return page(
    title,
    markup`<nav><a href="../../">All authorities</a></nav>
      <main>
        <h1>${foreign(title)}</h1>
        <p>Certificate authority <code>${namespace}/${name}</code></p>
        ${
          own === undefined
            ? undefined
            : markup`${validity(own, now)}
                <dl>${facts(own)}</dl>`
        }
        <h2>Download</h2>
        <ul>
          ${own === undefined ? undefined : download(name, 'crt', 'the certificate in DER, for trust stores')}${
            own === undefined
              ? undefined
              : download(name, 'cer', 'the same bytes, for programs that follow a certificate to its issuer')
          }${download(name, 'pem', all.length === 1 ? 'the certificate in PEM' : 'all certificates of this page in PEM')}${download(name, 'p7c', 'the same in PKCS #7')}
        </ul>
        <p>Compare the SHA-256 fingerprint with one you got another way before you trust what you downloaded.</p>
        ${
          others.length === 0
            ? undefined
            : markup`<h2>${own === undefined ? 'Roots' : 'Further certificates'}</h2>
                ${others.map(
                  (certificate) =>
                    markup`${validity(certificate, now)}
                      <dl>${facts(certificate)}</dl>
                      <hr />`,
                )}`
        }
        ${
          signs
            ? markup`<h2>Revocation list</h2>
                ${revocationSection(name, revocationList, now)}
                <h2>Look up a certificate</h2>
                ${lookUp(`${name}/certs`, '')}`
            : undefined
        }
      </main>`,
  )
}

/** Below `/ca/<namespace>/<name>/certs`; `up` leads to the folder of the authority's page. */
export const notFoundPage = (
  { metadata }: CertificateAuthority,
  entered: string,
  problem: string,
  up: '../' | '../../',
): string =>
  page(
    'Not found',
    markup`<nav><a href="${up}${metadata.name}">${metadata.namespace ?? 'default'}/${metadata.name}</a></nav>
      <main>
        <h1>Look up a certificate</h1>
        ${lookUp(`${up}${metadata.name}/certs`, entered, problem)}
      </main>`,
  )

export const issuedPage = ({ metadata }: CertificateAuthority, issued: Issued, now: number): string => {
  const { certificate, revocation, serialNumber, state } = issued
  const names = certificate.subjectAlternativeNames.map(
    ({ type, value }) => markup`<li>${type}: ${foreign(value)}</li>`,
  )
  return page(
    `Certificate ${serialNumber}`,
    markup`<nav><a href="../../${metadata.name}">${metadata.namespace ?? 'default'}/${metadata.name}</a></nav>
      <main>
        <h1>Certificate ${serialNumber}</h1>
        ${revocation === undefined ? validity(certificate, now) : markup`<p class="problem">This certificate is revoked: ${revocation.reason}.</p>`}
        <dl>
          <dt>State</dt>
          <dd>${state}</dd>
          ${
            revocation?.time === undefined
              ? undefined
              : markup`<dt>Revoked</dt>
                  <dd>${time(Date.parse(revocation.time))}</dd>`
          }
          ${facts(certificate)}
          ${
            names.length === 0
              ? undefined
              : markup`<dt>Names</dt>
                  <dd>
                    <ul>
                      ${names}
                    </ul>
                  </dd>`
          }
        </dl>
        <h2>In full</h2>
        <pre tabindex="0">${certificateText(certificate)}</pre>
      </main>`,
  )
}
