import { expect, test } from 'vitest'
import { listQuery, pathOf, watchQuery } from './paths.ts'

const secrets = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true } as const
const certs = {
  group: 'dbtls.dev',
  version: 'v1alpha1',
  plural: 'databasecertificates',
  kind: 'X',
  namespaced: true,
} as const
const namespaces = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false } as const

test.each([
  [pathOf(secrets, { namespace: 'data', name: 'a' }), '/api/v1/namespaces/data/secrets/a'],
  [pathOf(secrets, {}), '/api/v1/secrets'],
  [pathOf(namespaces, { namespace: 'ignored', name: 'a' }), '/api/v1/namespaces/a'],
  [
    pathOf(
      certs,
      { namespace: 'data', name: 'a', subresource: 'status' },
      { fieldManager: 'x/y', force: true, dryRun: undefined },
    ),
    '/apis/dbtls.dev/v1alpha1/namespaces/data/databasecertificates/a/status?fieldManager=x%2Fy&force=true',
  ],
  [pathOf(secrets, { namespace: 'a/../b', name: 'c?d' }), '/api/v1/namespaces/a%2F..%2Fb/secrets/c%3Fd'],
  [
    pathOf(secrets, {}, listQuery({ limit: 500, continue: 'x', resourceVersion: '5', labelSelector: 'a=b' })),
    '/api/v1/secrets?labelSelector=a%3Db&limit=500&continue=x',
  ],
  [
    pathOf(secrets, {}, watchQuery({ sendInitialEvents: true, timeoutSeconds: 290 })),
    '/api/v1/secrets?watch=true&allowWatchBookmarks=true&timeoutSeconds=290&sendInitialEvents=true&resourceVersionMatch=NotOlderThan',
  ],
])('%s', (path, expected) => {
  expect(path).toBe(expected)
})

test.each(['', '.', '..'])('the name %j is refused, because it would name something else', (name) => {
  expect(() => pathOf(secrets, { namespace: 'data', name })).toThrow(RangeError)
})
