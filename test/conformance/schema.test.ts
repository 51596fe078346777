/** The real API server and the twin get the same corpus; verdicts, fields, sentences and defaults must agree. */
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject, Resource } from '../../src/cluster/port.ts'
import { customResourceDefinition } from '../../src/resources/crd.ts'
import { kinds } from '../../src/resources/kinds.ts'
import { admit } from '../../src/resources/validate.ts'
import type { Connection } from '../controlplane/harness/connection.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { Case } from './corpus.ts'
import { corpus } from './corpus.ts'

interface Answer {
  readonly status: number
  readonly body: {
    readonly message?: string
    readonly metadata?: KubeObject['metadata']
    readonly spec?: unknown
    readonly details?: { readonly causes?: readonly { readonly field?: string; readonly message?: string }[] }
  }
}

const namespace = 'schema-corpus'

class Client {
  readonly #plane: Connection
  readonly #agent: Agent
  constructor(plane: Connection) {
    this.#plane = plane
    this.#agent = new Agent({ keepAlive: true, maxSockets: 4, ca: readFileSync(plane.caFile) })
  }

  send(method: string, path: string, body?: unknown): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request(
        `${this.#plane.server}${path}`,
        {
          method,
          agent: this.#agent,
          headers: { authorization: `Bearer ${this.#plane.adminToken}`, 'content-type': 'application/json' },
        },
        (response) => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => (text += chunk))
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Answer['body'] }),
          )
        },
      )
      sent.on('error', reject)
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

const pathOf = ({ group, version, plural }: Resource): string =>
  `/apis/${group}/${version}/namespaces/${namespace}/${plural}`

const resourceOf = (kind: string): Resource => {
  const found = kinds.find((one) => one.resource.kind === kind)
  if (!found) throw new Error(`no kind ${kind}`)
  return found.resource
}

const inNamespace = (object: KubeObject): KubeObject => ({ ...object, metadata: { ...object.metadata, namespace } })

/** What the API server says to the case, as kubectl would send it; nothing stays. */
const ask = async (client: Client, one: Case): Promise<Answer> => {
  const path = pathOf(resourceOf(one.kind))
  const object = inNamespace(one.object)
  if (!one.old) return client.send('POST', `${path}?dryRun=All&fieldValidation=Strict`, object)
  const before = await client.send('POST', path, inNamespace(one.old))
  expect(before.status, JSON.stringify(before.body)).toBe(201)
  const name = `${path}/${one.object.metadata.name}`
  const { resourceVersion = '' } = before.body.metadata ?? {}
  const answer = await client.send('PUT', `${name}?dryRun=All&fieldValidation=Strict`, {
    ...object,
    metadata: { ...object.metadata, resourceVersion },
  })
  await client.send('DELETE', name)
  return answer
}

/** Strict decoding has no causes: its sentence names the fields. */
const problemsOf = ({ body }: Answer) => {
  const causes = body.details?.causes ?? []
  if (causes.length > 0) return causes.map(({ field = '', message = '' }) => ({ field, message }))
  return [...(body.message ?? '').matchAll(/unknown field "([^"]+)"/g)].map(([message, field = '']) => ({
    field,
    message,
  }))
}

describe('the API server and the twin', () => {
  let client: Client
  beforeAll(async () => {
    client = new Client(sharedControlPlane())
    const made = await client.send('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace },
    })
    expect([201, 409]).toContain(made.status)
  })
  afterAll(() => client.close())

  it.each(kinds.map((kind) => [kind.resource.kind, kind] as const))(
    'the server takes the CRD of %s unchanged',
    async (_, kind) => {
      const wanted = customResourceDefinition(kind) as { metadata: { name: string }; spec: unknown }
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${wanted.metadata.name}`
      const { body } = await client.send('GET', path)
      expect(body.spec).toMatchObject(JSON.parse(JSON.stringify(wanted.spec)) as object)
      const { conditions = [] } =
        (body as { status?: { conditions?: { type: string; status: string }[] } }).status ?? {}
      expect(conditions.find((one) => one.type === 'NonStructuralSchema')?.status ?? 'False').toBe('False')
      expect(conditions.find((one) => one.type === 'Established')?.status).toBe('True')
    },
  )

  it.each(corpus().map((one) => [one.title, one] as const))('%s', async (_, one) => {
    const answer = await ask(client, one)
    const twin = admit(one.kind, one.object, one.old, { unknownFields: 'Refuse' })
    if (one.verdict === 'valid') {
      expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300)
      expect(twin).toHaveProperty('object')
      if ('object' in twin) expect(answer.body.spec).toEqual((twin.object as unknown as { spec: unknown }).spec)
      return
    }
    if (one.server === 'accepts') {
      expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300)
      return expect(twin).toHaveProperty('problems')
    }
    expect([400, 422], JSON.stringify(answer.body)).toContain(answer.status)
    const said = problemsOf(answer)
    expect(said).toContainEqual({ field: one.field, message: expect.stringContaining(one.message ?? '') as string })
    if (!('problems' in twin)) return expect.unreachable('the twin let it pass')
    for (const { field, message } of twin.problems)
      expect(said).toContainEqual({ field, message: expect.stringContaining(message) as string })
  })
})
