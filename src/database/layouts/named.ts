/** The Secrets of a preset for one cluster: what a profile asks of a layout. */
import type { Preset } from '../../resources/layout-names.ts'
import type { LayoutSecret, Role } from './layout.ts'
import { secretsOfPreset } from './shape.ts'
import { fillIn, type Words } from './templates.ts'

export interface NamedSecret {
  /** For `spec.secret.layout`. */
  readonly layout: string
  /** For `spec.secret.name`. */
  readonly secretName: string
  /** The common name that the operator takes for the identity, where it does. */
  readonly commonName?: string
}

/** What Kubernetes takes as the name of a Secret, in characters. */
const maxName = 253

/** Throws where the name would be longer than Kubernetes takes, or a word is missing; the message is a sentence for a person. */
const named = (preset: Preset, [name, secret]: readonly [string, LayoutSecret], words: Words): NamedSecret => {
  const secretName = fillIn(secret.secretName, words)
  if (secretName.length > maxName)
    throw new Error(
      `the Secret of ${preset}/${name} would have a name of ${secretName.length} characters; shorten the name of the cluster.`,
    )
  const { commonName } = secret
  return { layout: `${preset}/${name}`, secretName, ...(commonName === undefined ? {} : { commonName }) }
}

/** The Secret for a certificate of that role; undefined where the operator expects none, and any will do. */
export const secretFor = (preset: Preset, role: Role, words: Words): NamedSecret | undefined => {
  const found = [...secretsOfPreset(preset)].find(([, { roles }]) => roles.includes(role))
  return found === undefined ? undefined : named(preset, found, words)
}

/** Further Secrets of the preset: of a second role, or of what is the CA's alone. For those who choose by name. */
export const secretNamed = (preset: Preset, name: string, words: Words): NamedSecret | undefined => {
  const secret = secretsOfPreset(preset).get(name)
  return secret === undefined ? undefined : named(preset, [name, secret], words)
}
