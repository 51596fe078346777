/** The first example of docs/reload.md, as a person applies it: on the operator, with servers that are imitated. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../cluster/port.ts'
import { marks } from '../../control/context.ts'
import { databaseTLSProfileKind } from '../../resources/database-tls-profile.ts'
import type { DatabaseTLSProfile } from '../../resources/database-tls-profile.ts'
import { admit } from '../../resources/validate.ts'
import { expand } from '../expand.ts'

const page = readFileSync('docs/reload.md', 'utf8')
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g'))].map(([, text = '']) => text)
const [example = ''] = blocks('yaml')

describe('the example of docs/reload.md', () => {
  const objects = parseAllDocuments(example).map((one) => one.toJS() as KubeObject)
  it('is taken as it is, and tells each pod by the statement of the table', () => {
    expect(objects.map(({ kind }) => kind)).toEqual([
      'CertificateAuthority',
      'Secret',
      databaseTLSProfileKind.resource.kind,
    ])
    for (const object of objects.filter(({ kind }) => kind !== 'Secret'))
      expect(admit(object.kind, object)).not.toHaveProperty('problems')
    const admitted = admit('DatabaseTLSProfile', objects[2] as KubeObject)
    if ('problems' in admitted) throw new Error('refused')
    const { reload, endpoints, refusals } = expand(admitted.object as DatabaseTLSProfile)
    expect(refusals).toEqual([])
    const { name, annotations } = (objects[1] as KubeObject).metadata
    expect(admitted.object).toMatchObject({ spec: { reload: { credentialsSecretRef: { name } } } })
    expect(annotations).toEqual({ [marks.reloadCredentials]: admitted.object.metadata.name })
    expect(reload).toMatchObject({ strategy: 'SQL', statements: ['ALTER INSTANCE RELOAD TLS'] })
    expect(endpoints.filter(({ part }) => part === 'server')).toHaveLength(3)
  })
  it('has the command that writes the annotation of its Secret', () => {
    const { namespace, name, annotations = {} } = (objects[1] as KubeObject).metadata
    const pairs = Object.entries(annotations).map(([key, value]) => `${key}=${value}`)
    expect(blocks('console')).toEqual([`$ kubectl -n ${namespace} annotate secret ${name} ${pairs.join(' ')}\n`])
  })
})
