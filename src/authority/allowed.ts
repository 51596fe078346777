/** Which namespaces may use a CA: `spec.allowedNamespaces`. Pure. */

import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { nameOf } from './names.ts'

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined
  readonly matchExpressions?:
    | readonly {
        readonly key: string
        readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
        readonly values?: readonly string[] | undefined
      }[]
    | undefined
}

/** The semantics of metav1.LabelSelector; an empty selector matches everything. */
export const matches = (selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean => {
  const value = (key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined)
  const byLabels = Object.entries(selector.matchLabels ?? {}).every(([key, wanted]) => value(key) === wanted)
  return (
    byLabels &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const found = value(key)
      if (operator === 'Exists') return found !== undefined
      if (operator === 'DoesNotExist') return found === undefined
      const among = found !== undefined && values.includes(found)
      return operator === 'In' ? among : !among
    })
  )
}

/**
 * Labels of a namespace: undefined where the operator cannot see namespaces (it was started for listed ones), null for one that
 * does not exist.
 */
type LabelsOf = (namespace: string) => Readonly<Record<string, string>> | null | undefined

/** A sentence why `namespace` may not have the authority sign, or undefined when it may. */
export const refusal = (authority: CertificateAuthority, namespace: string, labelsOf: LabelsOf): string | undefined => {
  if (authority.spec.source.trustOnly !== undefined)
    return `${nameOf(authority)} is a trust anchor alone (spec.source.trustOnly) and signs nothing; name another one.`
  return refusalOfTrust(authority, namespace, labelsOf)
}

/** The same where nothing is to be signed: who may have what the authority is trusted by. */
export const refusalOfTrust = (
  authority: CertificateAuthority,
  namespace: string,
  labelsOf: LabelsOf,
): string | undefined => {
  const home = authority.metadata.namespace
  const name = nameOf(authority)
  if (namespace === home) return undefined
  const allowed = authority.spec.allowedNamespaces ?? { from: 'Same' as const }
  switch (allowed.from) {
    case 'All':
      return undefined
    case 'Names':
      return (allowed.names ?? []).includes(namespace)
        ? undefined
        : `${name} does not allow namespace "${namespace}"; add it to spec.allowedNamespaces.names there.`
    case 'Selector': {
      const labels = labelsOf(namespace)
      if (labels === undefined)
        return `${name} allows namespaces by selector, which an operator limited to listed namespaces cannot see; use spec.allowedNamespaces.names there.`
      return labels !== null && matches(allowed.selector ?? {}, labels)
        ? undefined
        : `${name} allows namespaces by selector, and the labels of "${namespace}" do not match it.`
    }
    default:
      return `${name} may be used from its own namespace only; set spec.allowedNamespaces there.`
  }
}
