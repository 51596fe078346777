/** CustomResourceDefinitions from the kinds. */
import type { CustomKind } from './kind.ts'
import { group, version } from './kind.ts'
import type { Rule } from './rule.ts'
import type { Schema } from './structural.ts'
import { objectSchema } from './structural.ts'

const validation = ({ rule, message, fieldPath, reason }: Rule) => ({
  rule,
  message,
  ...(fieldPath === undefined ? {} : { fieldPath }),
  ...(reason === undefined ? {} : { reason }),
})

const mapValues = (record: Readonly<Record<string, Schema>>) =>
  Object.fromEntries(Object.entries(record).map(([name, child]) => [name, openAPI(child)]))

/** The schema as apiextensions.k8s.io/v1 wants it, members in an order that reads well. */
const openAPI = (schema: Schema): Record<string, unknown> => {
  const { type, description, properties, required, items, additionalProperties, rules = [], ...rest } = schema
  const asked = rules.filter((one) => one.rule !== undefined)
  return {
    ...(description === undefined ? {} : { description }),
    type,
    ...rest,
    ...(properties === undefined || Object.keys(properties).length === 0 ? {} : { properties: mapValues(properties) }),
    ...(required === undefined || required.length === 0 ? {} : { required }),
    ...(items === undefined ? {} : { items: openAPI(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: openAPI(additionalProperties) }),
    ...(asked.length === 0 ? {} : { 'x-kubernetes-validations': asked.map(validation) }),
  }
}

/** The manifest of one CustomResourceDefinition. */
export const customResourceDefinition = (kind: CustomKind): Record<string, unknown> => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${kind.resource.plural}.${group}`,
    labels: { 'app.kubernetes.io/name': 'dbtls' },
  },
  spec: {
    group,
    scope: 'Namespaced',
    names: {
      kind: kind.resource.kind,
      listKind: `${kind.resource.kind}List`,
      plural: kind.resource.plural,
      singular: kind.singular,
      shortNames: kind.shortNames,
      categories: ['pki'],
    },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: kind.columns,
        ...(kind.selectableFields.length === 0
          ? {}
          : { selectableFields: kind.selectableFields.map((jsonPath) => ({ jsonPath })) }),
        schema: { openAPIV3Schema: openAPI(objectSchema(kind)) },
      },
    ],
  },
})
