/** Where a CA is still found: in files, in Secrets, in what servers show and whom they let in. */
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { secrets } from '../../../src/resources/core.ts'
import { readPkcs12 } from '../../../src/material/pkcs12-reader.ts'
import type { ClientCertificate } from '../../../src/database/connect/sight.ts'
import { eventually } from '../../controlplane/harness/process.ts'
import type { Fleet, Member } from './fleet.ts'
import { look } from './looks.ts'

const fingerprintOf = (der: Uint8Array | string): string => new X509Certificate(der).fingerprint256

/** Of all certificates in a file of a Secret, upper-case hex with colons. */
const fingerprintsIn = async (key: string, bytes: Buffer, password: string | undefined): Promise<readonly string[]> => {
  if (!key.endsWith('.p12')) {
    const pem = bytes.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g)
    return (pem ?? []).map(fingerprintOf)
  }
  if (password === undefined) throw new Error(`${key} comes without its password`)
  const { keys, trusted } = await readPkcs12(bytes, password)
  return [...keys.flatMap(({ chain }) => chain), ...trusted.map(({ certificate }) => certificate)].map(fingerprintOf)
}

const placesOf = async (
  files: Readonly<Record<string, Buffer>>,
  where: string,
  fingerprint: string,
): Promise<readonly string[]> => {
  const password = files['keystore-password']?.toString()
  const found: string[] = []
  for (const [key, bytes] of Object.entries(files))
    if ((await fingerprintsIn(key, bytes, password)).includes(fingerprint)) found.push(`${where} ${key}`)
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

/** What is left of a CA at the servers of a database, in words; `former`: a client's pair that it has signed, absent where it is still good. */
const remainsAt = async (
  member: Member,
  certificate: X509Certificate,
  former: ClientCertificate | undefined,
): Promise<readonly string[]> => {
  const shown = await look(member)
  const offered = former === undefined ? [] : await look(member, former)
  const served = shown.flatMap(({ served: one }) => one?.chain ?? []).map(fingerprintOf)
  return [
    ...(served.includes(certificate.fingerprint256) ? ['its chain is served'] : []),
    // Two CAs of one name would be named twice where a server does not take care.
    ...(shown.some(({ acceptableIssuers }) => acceptableIssuers.length > 1) ? ['two CAs are asked for'] : []),
    ...(shown.every(({ outcome }) => outcome === 'Accepted') ? [] : ['the client of today is refused']),
    ...(offered.every(({ outcome }) => outcome === 'Refused') ? [] : ['its clients are let in']),
  ]
}

/** Until no file and no Secret of the fleet holds the certificate. */
export const inNoFile = (fleet: Fleet, certificate: X509Certificate): Promise<unknown> =>
  eventually(
    'the former CA to be in no file',
    async () => {
      const places = await placesThatHold(fleet, certificate)
      if (places.length > 0) throw new Error(places.join('\n'))
      return true
    },
    { timeoutMs: 120_000 },
  )

/** Until these databases neither show nor take what the CA has signed; `formerOf`: a client's pair of it, where that is good no more. */
export const atNoServer = async (
  members: readonly Member[],
  certificate: X509Certificate,
  formerOf: (member: Member) => ClientCertificate | undefined,
): Promise<void> => {
  for (const member of members)
    await eventually(
      `nothing of the former CA to be left at ${member.name}`,
      async () => {
        const remains = await remainsAt(member, certificate, formerOf(member))
        if (remains.length > 0) throw new Error(remains.join('\n'))
        return true
      },
      { timeoutMs: 120_000 },
    )
}
