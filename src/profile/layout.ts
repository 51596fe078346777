/** Which Secret of `spec.layout` each part of a profile goes into. */

import type { Role } from '../database/engines/engine.ts'
import { engineOf } from '../database/engines/external.ts'
import type { LayoutSecret } from '../database/layouts/layout.ts'
import { secretsOfPreset } from '../database/layouts/shape.ts'
import { fillIn } from '../database/layouts/templates.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import { isPreset, presets, presetsOf, rsaLayouts, traditionalLayouts } from '../resources/layout-names.ts'
import type { Item } from '../resources/secret-items.ts'
import { keyOf } from './certificate-spec.ts'
import type { Findings } from './findings.ts'

/** One Secret of the layout, with the name it has for this profile. */
export interface Placement {
  /** As `spec.secret.layout` of a DatabaseCertificate says it. */
  readonly layout: string
  readonly secretName: string
  readonly items: readonly Item[]
}

export interface ClientPlacement extends Placement {
  /** Whether its name is the same for every client, so that one alone can have it. */
  readonly single: boolean
}

export interface ChosenLayout {
  readonly server: () => Placement | undefined
  readonly component: (part: string, role: Role) => Placement | undefined
  readonly client: (name: string, username: string) => ClientPlacement | undefined
  /** Secrets between servers that no component of the engine stands for, as Percona's ssl-internal. */
  readonly morePeers: (components: readonly string[]) => readonly string[]
  /** Users the operator itself logs in as, by a certificate. */
  readonly moreClients: readonly { readonly name: string; readonly username: string }[]
}

export const noLayout: ChosenLayout = {
  server: () => undefined,
  component: () => undefined,
  client: () => undefined,
  morePeers: () => [],
  moreClients: [],
}

/** undefined where it was refused: certificates under names that no operator looks for would only be in the way. */
export const layoutOf = (profile: DatabaseTLSProfile, findings: Findings): ChosenLayout | undefined => {
  const chosen = profile.spec.layout
  if (chosen === undefined) return noLayout
  const { preset } = chosen
  if (!isPreset(preset)) {
    findings.refuse('spec.layout.preset', {
      problem: `"${preset}" is no layout that is known here`,
      cure: `use ${presets.join(', ')}, or leave layout out`,
    })
    return undefined
  }
  const { engine } = engineOf(profile.spec).definition
  if (!presetsOf(engine).includes(preset))
    findings.warn('spec.layout.preset', {
      problem: `${preset} is no layout of ${engine}`,
      cure: `use ${presetsOf(engine).join(', ')}, or leave layout out`,
    })
  return keyFits(profile, preset, findings) ? placesIn(profile, preset, secretsOfPreset(preset)) : undefined
}

/** Some readers know one form of keys alone. */
const keyFits = (profile: DatabaseTLSProfile, preset: string, findings: Findings): boolean => {
  const { algorithm } = keyOf(profile)
  const refuse = (problem: string, cure: string): boolean => {
    findings.refuse('spec.server.privateKey.algorithm', { problem, cure })
    return false
  }
  if (rsaLayouts.includes(preset) && algorithm !== 'RSA')
    return refuse(
      `layout ${preset} writes keys as PKCS #1, which is a form of RSA keys`,
      profile.spec.engine === 'External'
        ? 'leave layout out, and write a DatabaseCertificate of it for each client'
        : 'set algorithm: RSA',
    )
  if (traditionalLayouts.includes(preset) && algorithm === 'Ed25519')
    return refuse(`the reader of layout ${preset} knows no form of Ed25519 keys`, 'set algorithm: ECDSA or RSA')
  return true
}

const placesIn = (
  profile: DatabaseTLSProfile,
  preset: string,
  secrets: ReadonlyMap<string, LayoutSecret>,
): ChosenLayout => {
  const cluster = profile.spec.layout?.cluster ?? profile.metadata.name
  const all = [...secrets]
  const place = (
    name: string | undefined,
    words: { component?: string; client?: string } = {},
  ): Placement | undefined => {
    const secret = name === undefined ? undefined : secrets.get(name)
    if (secret === undefined) return undefined
    const secretName = fillIn(secret.secretName, { cluster, ...words })
    return { layout: `${preset}/${name}`, secretName, items: secret.items as readonly Item[] }
  }
  const ofServers = all.filter(([name, { roles }]) => !ofClients.has(name) && !roles.every((role) => role === 'Client'))
  const server = withRole(ofServers, 'Server') ?? withRole(ofServers, 'Peer')
  const componentSecret = (part: string, role: Role): string | undefined => {
    if (part !== server && secrets.has(part)) return part
    if (role !== 'Peer') return undefined
    return all.find(([, { secretName }]) => secretName.includes('{component}'))?.[0]
  }
  return {
    server: () => place(server),
    component: (part, role) => place(componentSecret(part, role), { component: part }),
    client: (name, username) => {
      const own = all.find(([, { roles, commonName }]) => roles.includes('Client') && commonName === username)?.[0]
      const usual = all.find(([secret, { commonName }]) => ofClients.has(secret) && commonName === undefined)?.[0]
      const found = place(own ?? usual, { client: name })
      const template = secrets.get(own ?? usual ?? '')?.secretName ?? ''
      return found === undefined ? undefined : { ...found, single: !template.includes('{client}') }
    },
    morePeers: (components) =>
      ofServers
        .filter(([name, { roles, secretName }]) => {
          const between = roles.length === 1 && roles[0] === 'Peer'
          return between && name !== server && !secretName.includes('{component}') && !components.includes(name)
        })
        .map(([name]) => name),
    moreClients: all.flatMap(([name, { roles, commonName }]) =>
      roles.length === 1 && roles[0] === 'Client' && commonName !== undefined ? [{ name, username: commonName }] : [],
    ),
  }
}

/** Secrets that are a client's whatever roles their form would fit. */
const ofClients: ReadonlySet<string> = new Set(['client', 'user'])

const withRole = (secrets: readonly (readonly [string, LayoutSecret])[], role: Role): string | undefined =>
  secrets.find(([, { roles }]) => roles.includes(role))?.[0]
