/**
 * Certificates as cert-manager's CA issuer has them signed, written from its source: a name in the order of Go's pkix.Name, the
 * values of one attribute in one RDN, key usages as they are asked for whatever the key, no key identifier of the subject.
 */

import { encodeTbs } from './certificates/certificate.ts'
import { leafPlan } from './certificates/plans.ts'
import { bitString, sequence, setOf } from './encoding/der.ts'
import { encodePem } from './encoding/pem.ts'
import { encodePrivateKey } from './keys/encodings.ts'
import { attributeOf, attributeTypes } from './names/attributes.ts'
import type { ExtendedKeyUsage, GeneralName, KeyAlgorithm, KeyUsage } from './plan.ts'
import { type Authority, day, generate, randomSerial } from './testing.ts'

export interface CertManagerWish {
  readonly organizations?: readonly string[]
  readonly organizationalUnits?: readonly string[]
  readonly countries?: readonly string[]
  readonly commonName?: string
  readonly names?: readonly GeneralName[]
  /** Default: what it has by default, `digital signature` and `key encipherment`. */
  readonly keyUsage?: readonly KeyUsage[]
  readonly extendedKeyUsage?: readonly ExtendedKeyUsage[]
  readonly algorithm?: KeyAlgorithm
  readonly encoding?: 'PKCS1' | 'PKCS8'
  readonly duration?: number
  readonly now: number
}

/** DER Name. */
export const goName = ({ organizations, organizationalUnits, countries, commonName }: Omit<CertManagerWish, 'now'>) => {
  const relative = (type: 'C' | 'O' | 'OU' | 'CN', values: readonly string[] = []): Uint8Array[] =>
    values.length === 0 ? [] : [setOf(...values.map((value) => attributeOf(attributeTypes[type], value)))]
  return sequence(
    ...relative('C', countries),
    ...relative('O', organizations),
    ...relative('OU', organizationalUnits),
    ...relative('CN', commonName === undefined ? [] : [commonName]),
  )
}

/** What its Secret holds, text. */
export const certManagerData = async (
  { signer, certificate }: Authority,
  wish: CertManagerWish,
): Promise<Record<'tls.crt' | 'tls.key' | 'ca.crt', string>> => {
  const { algorithm = { algorithm: 'RSA', size: 2048 }, encoding = 'PKCS1' } = wish
  const key = await generate(algorithm)
  const plan = leafPlan({
    signer,
    subject: goName(wish),
    names: wish.names ?? [],
    keyUsage: wish.keyUsage ?? ['digitalSignature', 'keyEncipherment'],
    extendedKeyUsage: wish.extendedKeyUsage ?? [],
    spki: key.spki,
    duration: wish.duration ?? 90 * day,
    backdate: 0,
    now: wish.now,
    serialNumber: randomSerial(),
  })
  const tbs = encodeTbs(plan, signer.signatureAlgorithm)
  const leaf = sequence(tbs, signer.signatureAlgorithm, bitString(await signer.sign(tbs)))
  const traditional = algorithm.algorithm === 'RSA' ? 'PKCS1' : 'SEC1'
  const form = encoding === 'PKCS8' || algorithm.algorithm === 'Ed25519' ? 'PKCS8' : traditional
  const { der, label } = encodePrivateKey(key.pkcs8, form)
  return {
    'tls.crt': encodePem('CERTIFICATE', leaf),
    'tls.key': encodePem(label, der),
    'ca.crt': encodePem('CERTIFICATE', certificate),
  }
}

/** Its annotations and label. */
export const certManagerMarks = (certificate: string, issuer: string, kind = 'Issuer') => ({
  labels: { 'controller.cert-manager.io/fao': 'true' },
  annotations: {
    'cert-manager.io/certificate-name': certificate,
    'cert-manager.io/issuer-name': issuer,
    'cert-manager.io/issuer-kind': kind,
    'cert-manager.io/issuer-group': 'cert-manager.io',
    'cert-manager.io/common-name': '',
    'cert-manager.io/alt-names': '',
    'cert-manager.io/ip-sans': '',
    'cert-manager.io/uri-sans': '',
  },
})
