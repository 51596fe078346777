/**
 * Resources of docs/operator-resources.md, read by the operators' own types: the Secrets that the operator then looks for, by
 * its own functions and defaults, are those of the preset.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../src/cluster/port.ts'
import { secretNamed } from '../../src/database/layouts/named.ts'
import type { Preset } from '../../src/resources/layout-names.ts'
import { must } from '../controlplane/harness/process.ts'
import { operatorResources } from './operator-resources.ts'
import { goProgram, missing } from './tools.ts'

interface Answer {
  readonly problem: string
  readonly secrets: Readonly<Record<string, string>> | null
}

let program: string | undefined
beforeAll(async () => {
  program = (await missing('go', 'version')) ? undefined : await goProgram('operators')
  if (program === undefined) console.error("SKIPPED: the operators' own types: they cannot be built here")
}, 1_200_000)

const answers = async (judge: string, resources: readonly unknown[]): Promise<readonly Answer[]> =>
  JSON.parse((await must(judge, [], { stdin: JSON.stringify(resources) })).stdout) as Answer[]

const of = (preset: string): readonly KubeObject[] => operatorResources.get(preset) ?? []
const name = (preset: Preset, secret: string, cluster: string) => secretNamed(preset, secret, { cluster })?.secretName

describe('the Secrets that an operator looks for', () => {
  const cnpg = (secret: string) => name('CloudNativePG', secret, 'orders')
  const percona = (secret: string) => name('PerconaPostgreSQL', secret, 'cluster1')
  const mongo = (secret: string) => name('PerconaServerMongoDB', secret, 'mongo')
  it.for([
    {
      preset: 'CloudNativePG',
      secrets: [
        {
          ...{ server: cnpg('server'), serverCA: cnpg('server') },
          ...{ replication: cnpg('replication'), clientCA: cnpg('replication') },
        },
      ],
    },
    { preset: 'Zalando', secrets: [{ server: name('Zalando', 'server', 'acid-orders'), ca: 'ca.crt' }] },
    {
      preset: 'PerconaPostgreSQL',
      secrets: [
        {
          ...{ server: percona('server'), replication: percona('replication') },
          ...{ pgbouncer: percona('pgbouncer'), 'root-ca-key': '' },
        },
        { server: '', replication: '', 'root-ca-key': percona('root-ca-key') },
      ],
    },
    { preset: 'PerconaServerMongoDB', secrets: [{ ssl: mongo('ssl'), 'ssl-internal': mongo('ssl-internal') }] },
  ])('are those of $preset', async ({ preset, secrets }, context) => {
    if (program === undefined) return context.skip('the operators cannot be built here')
    expect(await answers(program, of(preset))).toEqual(secrets.map((one) => ({ problem: '', secrets: one })))
  })

  it('of Percona Server for MongoDB have the names of the preset by default', async (context) => {
    if (program === undefined) return context.skip('the operators cannot be built here')
    const [resource] = of('PerconaServerMongoDB') as (KubeObject & { spec: object })[]
    const silent = { ...resource, spec: { ...resource?.spec, secrets: undefined } }
    const [answer] = await answers(program, [silent])
    expect(answer?.secrets).toEqual({ ssl: mongo('ssl'), 'ssl-internal': mongo('ssl-internal') })
  })

  it('are not told in a field that the operator does not know', async (context) => {
    if (program === undefined) return context.skip('the operators cannot be built here')
    const presets = ['CloudNativePG', 'Zalando', 'PerconaPostgreSQL', 'PerconaServerMongoDB']
    const resources = presets.flatMap((preset) => of(preset).slice(0, 1)) as (KubeObject & { spec: object })[]
    const wrong = resources.map((one) => ({ ...one, spec: { ...one.spec, tlsSecret: 'x-tls' } }))
    const unknown = { problem: expect.stringContaining('unknown field "tlsSecret"') as string, secrets: null }
    expect(await answers(program, wrong)).toEqual(presets.map(() => unknown))
  })
})
