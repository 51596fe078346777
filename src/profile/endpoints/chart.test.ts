import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { expect, it } from 'vitest'
import { definitions } from '../../database/engines/index.ts'

it('the NetworkPolicy of the chart lets the operator reach every port that it asks by itself', () => {
  const values = parse(readFileSync(new URL('../../../charts/dbtls/values.yaml', import.meta.url), 'utf8')) as {
    readonly networkPolicy: { readonly databasePorts: readonly number[] }
  }
  const ports = Object.values(definitions).flatMap(({ port, components }) => [
    port,
    ...Object.values(components).flatMap((component) => component.port ?? []),
  ])
  expect(values.networkPolicy.databasePorts).toEqual([...new Set(ports)].toSorted((a, b) => a - b))
})
