/** The shape of the Secret of one DatabaseCertificate: that of its layout, or what its items say. */
import type { OutputItem } from '../../material/contents.ts'
import { type DatabaseCertificateSpec, itemsOf, roleOf, secretTypeOf } from '../../resources/database-certificate.ts'
import { isPreset, type Preset } from '../../resources/layout-names.ts'
import type { Layout, LayoutSecret } from './layout.ts'
import { layouts } from './table.ts'
import { clusterIn, filled } from './templates.ts'

export interface SecretShape {
  readonly type: 'kubernetes.io/tls' | 'Opaque'
  readonly items: readonly OutputItem[]
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** Annotation → key whose changes it counts. */
  readonly counters?: Readonly<Record<string, string>>
}

/** `problem` is a sentence that follows the name of the field. */
export type Shaped = { readonly shape: SecretShape } | { readonly problem: string }

/** The Secrets of a preset, the most important one first. */
export const secretsOfPreset = (preset: Preset): ReadonlyMap<string, LayoutSecret> =>
  new Map(Object.entries(layouts[preset] as Layout<string>))

/** Of `Preset/secret` that Secret; of `Preset` alone the first one with the role. Undefined for an unknown layout. */
export const layoutSecret = (
  layout: string,
  role: ReturnType<typeof roleOf>,
): { readonly name: string; readonly secret: LayoutSecret } | undefined => {
  const [preset = '', chosen, ...rest] = layout.split('/')
  if (!isPreset(preset) || rest.length > 0) return undefined
  const all = [...secretsOfPreset(preset)]
  const found =
    chosen === undefined
      ? (all.find(([, { roles }]) => role !== undefined && roles.includes(role)) ?? all[0])
      : all.find(([name]) => name === chosen)
  return found === undefined ? undefined : { name: `${preset}/${found[0]}`, secret: found[1] }
}

/** Explicit fields of the spec go before the layout's; labels and annotations are joined. */
export const shapeOf = (spec: DatabaseCertificateSpec): Shaped => {
  const { layout = '', type, labels = {}, annotations = {} } = spec.secret
  if (layout === '') return { shape: { type: secretTypeOf(spec), items: itemsOf(spec), labels, annotations } }
  const found = layoutSecret(layout, roleOf(spec))
  if (found === undefined)
    return { problem: `"${layout}" is no layout this version knows; docs/layouts.md lists them. Or say items instead.` }
  const { name, secret } = found
  const cluster = clusterIn(secret.secretName, spec.secret.name)
  if (secret.fixedName === true && cluster === undefined)
    return {
      problem: `with layout ${name} the operator looks for a Secret named ${secret.secretName}, and "${spec.secret.name}" is none; correct spec.secret.name.`,
    }
  const fill = (values: Readonly<Record<string, string>> = {}) => filled(values, cluster)
  return {
    shape: {
      type: type ?? secret.type,
      items: secret.items,
      labels: { ...fill(secret.labels), ...labels },
      annotations: { ...fill(secret.annotations), ...annotations },
      ...(secret.counters === undefined ? {} : { counters: secret.counters }),
    },
  }
}

/** What the Secret of a spec holds; nothing where its layout is unknown. */
export const shapedItems = (spec: DatabaseCertificateSpec): readonly OutputItem[] => {
  // Asked at every look at every certificate.
  if ((spec.secret.layout ?? '') === '') return itemsOf(spec)
  const shaped = shapeOf(spec)
  return 'shape' in shaped ? shaped.shape.items : []
}
