/** Where a CA is still found: in files, in Secrets, in what servers show and whom they let in. */
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { secrets } from '../../../src/resources/core.ts'
import { readPkcs12 } from '../../../src/material/pkcs12-reader.ts'
import type { ClientCertificate } from '../../../src/database/connect/probe.ts'
import type { Fleet, Member } from './fleet.ts'
import { look } from './looks.ts'

const fingerprintOf = (der: Uint8Array | string): string => new X509Certificate(der).fingerprint256

/** Of all certificates in a file of a Secret, upper-case hex with colons. */
const fingerprintsIn = async (bytes: Buffer, password: string | undefined): Promise<readonly string[]> => {
  const pem = bytes.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g)
  if (pem !== null) return pem.map(fingerprintOf)
  if (password === undefined || bytes[0] !== 0x30) return []
  const store = await readPkcs12(bytes, password).catch(() => undefined)
  if (store === undefined) return []
  const chains = store.keys.flatMap(({ chain }) => chain)
  return [...chains, ...store.trusted.map(({ certificate }) => certificate)].map(fingerprintOf)
}

const placesOf = async (
  files: Readonly<Record<string, Buffer>>,
  where: string,
  fingerprint: string,
): Promise<readonly string[]> => {
  const password = files['keystore-password']?.toString()
  const found: string[] = []
  for (const [key, bytes] of Object.entries(files))
    if ((await fingerprintsIn(bytes, password)).includes(fingerprint)) found.push(`${where} ${key}`)
  return found
}

/** Every file of a volume and every key of a Secret that holds the certificate. */
export const placesThatHold = async (fleet: Fleet, certificate: X509Certificate): Promise<readonly string[]> => {
  const { fingerprint256 } = certificate
  const found: string[] = []
  for (const { deployed } of fleet.members)
    for (const { folder } of deployed.pods.flatMap(({ volumes }) => volumes)) {
      const names = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !name.startsWith('..'))
      const links = names.filter((entry) => entry.isSymbolicLink()).map(({ name }) => name)
      const files = Object.fromEntries(links.map((name) => [name, readFileSync(`${folder}/${name}`)]))
      found.push(...(await placesOf(files, folder, fingerprint256)))
    }
  const { cluster, namespace } = fleet.site
  for (const { metadata, data = {} } of (await cluster.list(secrets, { namespace })).items) {
    const files = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64')]))
    found.push(...(await placesOf(files, `Secret ${metadata.name}`, fingerprint256)))
  }
  return found
}

/** What is left of a CA at the servers of a database, in words; `former`: a client's pair that it has signed. */
export const remainsAt = async (
  member: Member,
  certificate: X509Certificate,
  former: ClientCertificate,
): Promise<readonly string[]> => {
  const shown = await look(member)
  const offered = await look(member, former)
  const served = shown.flatMap(({ served: one }) => one?.chain ?? []).map(fingerprintOf)
  return [
    ...(served.includes(certificate.fingerprint256) ? ['its chain is served'] : []),
    // Two CAs of one name would be named twice where a server does not take care.
    ...(shown.some(({ acceptableIssuers }) => acceptableIssuers.length > 1) ? ['two CAs are asked for'] : []),
    ...(shown.every(({ outcome }) => outcome === 'Accepted') ? [] : ['the client of today is refused']),
    ...(offered.every(({ outcome }) => outcome === 'Refused') ? [] : ['its clients are let in']),
  ]
}
