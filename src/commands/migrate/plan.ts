/** Everything that was read of cert-manager → what is to be applied instead, and what is to be said about it. Pure. */

import type { KubeObject } from '../../cluster/port.ts'
import { NameError } from '../../pki/names/attributes.ts'
import { admit } from '../../resources/validate.ts'
import { type PlannedAuthority, planAuthorities } from './authorities.ts'
import { certificateSpec } from './certificate.ts'
import { certificateFields, issuerFields } from './fields.ts'
import {
  type Found,
  Inventory,
  isAuthority,
  type IssuerType,
  issuerTypeOf,
  secretNameOf,
  titleOf,
} from './inventory.ts'
import { fieldNotes, type Note, readMetadata } from './notes.ts'
import { profileHint } from './profile-hint.ts'
import { Reader } from './reader.ts'

export interface Written {
  readonly object: KubeObject
  /** What it takes the place of. */
  readonly from: readonly Found[]
}

export interface Migration {
  readonly authorities: readonly Written[]
  readonly certificates: readonly Written[]
  /** About single fields of what is written. */
  readonly notes: readonly Note[]
  /** What is not written at all, and why. It stays with cert-manager. */
  readonly unwritten: readonly Note[]
  readonly hints: readonly Note[]
}

export interface PlanOptions {
  /** Where cert-manager looks for the Secrets of ClusterIssuers. */
  readonly clusterNamespace: string
  /** Type of a Secret (`namespace/name`), where it could be looked at. */
  readonly secretTypeOf?: (key: string) => string | undefined
}

export const planMigration = (
  found: readonly Found[],
  { clusterNamespace, secretTypeOf = () => undefined }: PlanOptions,
): Migration => {
  const inventory = new Inventory(found)
  const planned = planAuthorities(inventory, clusterNamespace).map((one) => ({ planned: one, ...writeAuthority(one) }))
  const authorities = planned.map(({ planned: of }) => of)
  const leaves = inventory.certificates.filter((one) => !authorities.some(({ certificate }) => certificate === one))
  const holders = new Map(leaves.toReversed().map((one) => [secretKeyOf(one), one]))
  const certificates = leaves.map((one) => {
    const holder = holders.get(secretKeyOf(one)) ?? one
    if (holder !== one)
      return refused(one, `its Secret is that of ${titleOf(holder)}, too; one of them has to go`, 'spec.secretName')
    return migrateCertificate(one, inventory, authorities, secretTypeOf(secretKeyOf(one)))
  })
  const issuers = inventory.issuers.filter((one) => !planned.some(({ planned: { issuers: of } }) => of.includes(one)))
  return {
    authorities: planned.flatMap(({ written }) => written ?? []),
    certificates: certificates.flatMap(({ written }) => written ?? []),
    notes: [...planned, ...certificates].flatMap(({ notes }) => notes),
    unwritten: [
      ...issuers.map(unmigratedIssuer),
      ...[...planned, ...certificates].flatMap(({ unwritten }) => unwritten),
    ],
    hints: certificates.flatMap(({ hint }) => hint ?? []),
  }
}

const secretKeyOf = (certificate: Found): string => `${certificate.namespace}/${secretNameOf(certificate)}`

const refused = (found: Found, message: string, field = ''): Outcome => ({
  notes: [],
  unwritten: [{ about: titleOf(found), field, message }],
})

interface Outcome {
  readonly written?: Written
  readonly notes: readonly Note[]
  readonly unwritten: readonly Note[]
  readonly hint?: Note | undefined
}

const writeAuthority = ({ namespace, name, labels, spec, notes, issuers, certificate }: PlannedAuthority): Outcome => {
  const from = [...issuers, ...(certificate === undefined ? [] : [certificate])]
  const object = objectOf('CertificateAuthority', namespace, name, labels, spec)
  return admitted(from, object, notes)
}

/** An issuer that signs with nothing that dbtls could take over. */
const unmigratedIssuer = (issuer: Found): Note => {
  const type = issuerTypeOf(issuer)
  const [said] = fieldNotes('', issuer.object, issuerFields).filter(({ field }) => field === `spec.${type}`)
  return {
    about: titleOf(issuer),
    field: type === undefined ? '' : `spec.${type}`,
    message: said?.message ?? 'is of no type that dbtls knows',
  }
}

const whySigner: Readonly<Record<Exclude<IssuerType, 'ca'>, string>> = {
  selfSigned: 'it signs itself, so it belongs to no CA; have a CertificateAuthority sign one instead',
  acme: 'ACME',
  vault: 'Vault',
  venafi: 'Venafi',
}

const migrateCertificate = (
  found: Found,
  inventory: Inventory,
  authorities: readonly PlannedAuthority[],
  secretType: string | undefined,
): Outcome => {
  const refuse = (message: string, field = ''): Outcome => refused(found, message, field)
  const seen = inventory.issuerOf(found)
  if (seen.state === 'foreign')
    return refuse(`${seen.title} is an issuer of others; it stays with cert-manager`, 'spec.issuerRef')
  if (seen.state === 'missing')
    return refuse(`${seen.title} is not among what was read; give that one, too`, 'spec.issuerRef')
  const { issuer, type } = seen
  if (type === undefined) return refuse(`${titleOf(issuer)} is of no type that dbtls knows`, 'spec.issuerRef')
  if (type === 'selfSigned') return refuse(whySigner.selfSigned, 'spec.issuerRef')
  if (type !== 'ca')
    return refuse(
      `it is signed by ${whySigner[type]} (${titleOf(issuer)}); it stays with cert-manager`,
      'spec.issuerRef',
    )
  if (isAuthority(found))
    return refuse('its Secret is that of a CA which another Certificate has made', 'spec.secretName')
  const authority = authorities.find(({ issuers }) => issuers.includes(issuer))
  if (authority === undefined) return refuse(`${titleOf(issuer)} names no Secret`, 'spec.issuerRef')
  if (authorities.some((one) => one.namespace === found.namespace && one.secretName === secretNameOf(found)))
    return refuse('its Secret is that of a CA', 'spec.secretName')
  return writeCertificate(found, authority, secretType)
}

const writeCertificate = (
  found: Found,
  { namespace, name }: PlannedAuthority,
  secretType: string | undefined,
): Outcome => {
  const about = titleOf(found)
  const reader = new Reader(about, found.object)
  const metadata = readMetadata(about, found.object)
  try {
    const reference = namespace === found.namespace ? { name } : { name, namespace }
    const spec = certificateSpec(reader, reference, secretType)
    const notes = [...metadata.notes, ...fieldNotes(about, found.object, certificateFields), ...reader.notes]
    const object = objectOf('DatabaseCertificate', found.namespace, found.name, metadata.labels, spec)
    return { ...admitted([found], object, notes), hint: profileHint(found) }
  } catch (error) {
    if (!(error instanceof NameError)) throw error
    return { notes: [], unwritten: [{ about, field: 'spec.subject', message: error.message }] }
  }
}

const objectOf = (
  kind: string,
  namespace: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  spec: Readonly<Record<string, unknown>>,
): KubeObject =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind,
    metadata: { name, namespace, ...(Object.keys(labels).length === 0 ? {} : { labels }) },
    spec,
  }) as unknown as KubeObject

/** Nothing is written that an API server would refuse. */
const admitted = (from: readonly Found[], object: KubeObject, notes: readonly Note[]): Outcome => {
  const verdict = admit(object.kind, object, undefined, { unknownFields: 'Refuse' })
  if (!('problems' in verdict)) return { written: { object, from }, notes, unwritten: [] }
  const about = from.map(titleOf).join(' and ')
  return {
    notes: [],
    unwritten: verdict.problems.map(({ field, message }) => ({
      about,
      field: '',
      message: `${object.kind} would not be accepted: ${field}: ${message}`,
    })),
  }
}
