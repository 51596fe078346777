import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ApiError } from '../../cluster/errors.ts'
import { configMaps } from '../../resources/core.ts'
import { openTarget, parseName, withTarget } from './target.ts'
import type { Io } from './io.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-target-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const makeIo = (env: Io['env'] = {}) => {
  const stderr = new PassThrough()
  const io = { stdout: new PassThrough(), stderr, env } as unknown as Io
  return { io, err: (): string => String(stderr.read() ?? '') }
}
const makeState = async (): Promise<string> => {
  const state = join(folder, 'state')
  const target = await openTarget({ state }, makeIo().io, { create: true })
  target.close()
  return state
}
const kubeconfig = (server: string): string => {
  const path = join(folder, 'kubeconfig')
  const entries = {
    clusters: [{ name: 'c', cluster: { server } }],
    users: [{ name: 'u', user: { token: 'secret' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'data' } }],
  }
  writeFileSync(path, JSON.stringify({ ...entries, 'current-context': 'x' }))
  return path
}

describe('the target of a verb', () => {
  it('is a state folder, and lets go of it when closed', async () => {
    const state = await makeState()
    const first = await openTarget({ state }, makeIo().io)
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'a', name: 'm' } }
    await first.cluster.create(configMaps, map, { fieldManager: 'test' })
    first.close()
    const second = await openTarget({ state, namespace: 'a' }, makeIo().io)
    expect((await second.cluster.list(configMaps, { namespace: second.namespace })).items).toHaveLength(1)
    expect([second.scope, second.live]).toEqual(['a', false])
    second.close()
  })
  it('is a cluster, in the namespace of the context or the one asked for', async () => {
    const config = kubeconfig('https://127.0.0.1:1')
    const opened = [
      await openTarget({ kubeconfig: config }, makeIo().io),
      await openTarget({ namespace: 'other' }, makeIo({ KUBECONFIG: config }).io),
      await openTarget({ kubeconfig: config, 'all-namespaces': true }, makeIo().io),
    ]
    for (const target of opened) target.close()
    expect(opened.map(({ namespace, scope, live }) => [namespace, scope, live])).toEqual([
      ['data', 'data', true],
      ['other', 'other', true],
      ['data', undefined, true],
    ])
  })
  it.each([
    ['a folder without a state', { state: '/nonexistent' }, 1, 'there is no state in /nonexistent'],
    ['both ways', { state: 'x', context: 'y' }, 2, '--state works without a cluster'],
    ['a namespace and all', { state: 'x', namespace: 'a', 'all-namespaces': true }, 2, 'exclude each other'],
    ['a namespace that is none', { state: 'x', namespace: 'A b' }, 2, '"A b" is not the name of a namespace'],
    ['a kubeconfig that is missing', { kubeconfig: '/nonexistent' }, 1, 'cannot read /nonexistent'],
    ['no cluster at all', {}, 1, 'no cluster is configured'],
  ])('refuses %s in one sentence', async (_, options, code, sentence) => {
    const { io, err } = makeIo()
    expect(await withTarget('status', options, io, async () => 0)).toBe(code)
    expect(err()).toMatch(new RegExp(`^dbtls status: .*${sentence.replace(/[.*+?]/g, '\\$&')}[^\n]*\n$`))
  })
  it('says what to do while another dbtls holds the state', async () => {
    const state = await makeState()
    const holder = await openTarget({ state }, makeIo().io)
    const { io, err } = makeIo()
    expect(await withTarget('renew', { state }, io, async () => 0)).toBe(1)
    holder.close()
    expect(err()).toMatch(/in use by another dbtls \(process \d+\): stop it, give this command again/)
  })
  it.each([
    [{ status: 403, reason: 'Forbidden', message: 'user "x" cannot list secrets' }, 'forbids it: user "x" cannot'],
    [{ status: 401, reason: 'Unauthorized', message: 'Unauthorized' }, 'does not accept the credentials'],
    [
      { status: 404, reason: 'NotFound', message: 'the server could not find the requested resource' },
      'install the chart',
    ],
    [{ status: 0, reason: 'Network', message: 'connection refused' }, 'does not answer: connection refused'],
  ])('turns what a cluster refuses into a sentence: %j', async (init, sentence) => {
    const state = await makeState()
    const { io, err } = makeIo()
    const work = (): Promise<number> => Promise.reject(new ApiError(init))
    expect(await withTarget('status', { state }, io, work)).toBe(1)
    expect(err()).toContain(sentence)
  })
  it('does not hide a mistake of the program', async () => {
    const state = await makeState()
    const work = (): Promise<number> => Promise.reject(new TypeError('x is not a function'))
    await expect(withTarget('status', { state }, makeIo().io, work)).rejects.toThrow('x is not a function')
    // Closed all the same.
    ;(await openTarget({ state }, makeIo().io)).close()
  })
  it.each([
    ['orders', { namespace: 'data', name: 'orders' }],
    ['pki/corp.root', { namespace: 'pki', name: 'corp.root' }],
  ])('reads the name %s', (text, expected) => {
    expect(parseName('--authority', text, 'data')).toEqual(expected)
  })
  it.each(['', '/', 'a/', '/b', 'a/b/c', 'A', 'a b', undefined])('refuses %j as a name', (text) => {
    expect(() => parseName('--authority', text, 'data')).toThrow(/--authority/)
  })
})
