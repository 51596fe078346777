import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { loadClusterConfig } from './config.ts'
import { ConfigError } from './cluster-config.ts'
import type { ClusterConfig } from './cluster-config.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dbtls-kubeconfig-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const file = async (name: string, content: string): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

const kubeconfig = (user: object, cluster: object = {}, context: object = {}): string =>
  JSON.stringify({
    'current-context': 'here',
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:6443', ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u', ...context } }],
  })

const load = async (content: string, clock = new ManualClock()): Promise<ClusterConfig> =>
  loadClusterConfig({ env: {}, clock, kubeconfig: await file('config', content) })

const headersOf = async (config: ClusterConfig): Promise<Record<string, string>> => {
  const headers: Record<string, string> = {}
  await config.authorize(headers)
  return headers
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('a kubeconfig', () => {
  test('gives server, namespace and certificates, from data or from files beside it', async () => {
    await file('ca.crt', 'CA')
    const config = await load(
      kubeconfig(
        { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') },
        { 'certificate-authority': 'ca.crt', 'tls-server-name': 'api.internal' },
        { namespace: 'data' },
      ),
    )
    expect(config.server.href).toBe('https://127.0.0.1:6443/')
    expect([config.namespace, config.tls]).toEqual([
      'data',
      { ca: 'CA', cert: 'CERT', key: 'KEY', servername: 'api.internal' },
    ])
    expect(await headersOf(config)).toEqual({})
  })

  test.each([
    [{ token: 't' }, { authorization: 'Bearer t' }],
    [{ username: 'n', password: 'p' }, { authorization: `Basic ${base64('n:p')}` }],
    [
      { token: 't', as: 'somebody' },
      { authorization: 'Bearer t', 'impersonate-user': 'somebody' },
    ],
  ])('user %j is authorised by %j', async (user, headers) => {
    expect(await headersOf(await load(kubeconfig(user)))).toEqual(headers)
  })

  test('reads a token file again after a minute, and at once when told that the token is refused', async () => {
    const clock = new ManualClock()
    await file('token', 'first\n')
    const config = await load(kubeconfig({ tokenFile: 'token', token: 'ignored' }), clock)
    const token = async (): Promise<string | undefined> => (await headersOf(config)).authorization
    expect(await token()).toBe('Bearer first')
    await file('token', 'second')
    expect(await token()).toBe('Bearer first')
    await clock.advance(60_000)
    expect(await token()).toBe('Bearer second')
    await file('token', 'third')
    await config.refresh()
    expect(await token()).toBe('Bearer third')
  })

  test('has other TLS material after its CA file was replaced, and the same object while it was not', async () => {
    await file('ca.crt', 'CA')
    const config = await load(kubeconfig({}, { 'certificate-authority': 'ca.crt' }))
    const before = config.tls
    await config.refresh()
    expect(config.tls).toBe(before)
    await file('ca.crt', 'NEW')
    await config.refresh()
    expect(config.tls).toEqual({ ca: 'NEW' })
  })

  test('runs the exec plugin beside it once for all who wait, and again when its token is refused', async () => {
    const credential = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: 'exec' },
    }
    const script = await file(
      'plugin',
      `#!/bin/sh\necho run >> "$COUNT"\ntest -n "$KUBERNETES_EXEC_INFO" && echo '${JSON.stringify(credential)}'\n`,
    )
    await chmod(script, 0o755)
    const count = join(folder, 'count')
    const exec = {
      apiVersion: credential.apiVersion,
      command: './plugin',
      env: [{ name: 'COUNT', value: count }],
    }
    const config = await load(kubeconfig({ exec }))
    const all = await Promise.all([headersOf(config), headersOf(config), headersOf(config)])
    expect(all.map(({ authorization }) => authorization)).toEqual(['Bearer exec', 'Bearer exec', 'Bearer exec'])
    await config.refresh()
    await headersOf(config)
    const { readFile } = await import('node:fs/promises')
    expect((await readFile(count, 'utf8')).split('\n')).toHaveLength(3)
  })

  test.each([
    ['a plugin that fails', kubeconfig({ exec: { command: 'false' } }), 'exec plugin of user "u" failed'],
    [
      'a plugin that says nothing useful',
      kubeconfig({ exec: { command: 'echo', args: ['{"status":{}}'] } }),
      'neither',
    ],
    ['a token file that is missing', kubeconfig({ tokenFile: 'nowhere' }), 'nowhere: ENOENT'],
  ])('says of %s what is wrong', async (_, content, message) => {
    const config = await load(content)
    const error = await headersOf(config).catch((found: unknown) => found)
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as ConfigError).message).toContain(message)
  })

  test.each([
    ['no YAML', 'users: [{token: hunter2', 'is not YAML'],
    ['no context', JSON.stringify({ clusters: [] }), 'no current-context'],
    ['an unknown context', JSON.stringify({ 'current-context': 'x' }), 'no context "x"'],
    ['a server that is no URL', kubeconfig({}, { server: 'nowhere' }), 'no valid server'],
    ['a SOCKS proxy', kubeconfig({}, { 'proxy-url': 'socks5://p' }), 'proxy-url'],
    ['a missing CA file', kubeconfig({}, { 'certificate-authority': 'gone.crt' }), 'gone.crt: ENOENT'],
  ])('is refused with %s', async (_, content, message) => {
    const error = await load(content).catch((found: unknown) => found)
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as ConfigError).message).toContain(message)
    expect(String(error)).not.toContain('hunter2')
  })

  test('is read without a warning, which would quote the line with the token', async () => {
    const warnings: Error[] = []
    const listen = (warning: Error): void => void warnings.push(warning)
    process.on('warning', listen)
    try {
      await load(kubeconfig({ token: 'TOKEN' }).replace('"TOKEN"', '!unknown hunter2'))
      // Node tells of a warning a turn later.
      await new Promise((resolve) => setImmediate(resolve))
      expect(warnings).toEqual([])
    } finally {
      process.off('warning', listen)
    }
  })

  test('list in KUBECONFIG: the first file with a name wins, whatever the name', async () => {
    const first = await file('first', JSON.stringify({ users: [{ name: '__proto__', user: { token: 'one' } }] }))
    const second = await file(
      'second',
      kubeconfig({}).replaceAll('"u"', '"__proto__"').replace('"user":{}', '"user":{"token":"two"}'),
    )
    const config = await loadClusterConfig({ env: { KUBECONFIG: `${first}:${second}` }, clock: new ManualClock() })
    expect(await headersOf(config)).toEqual({ authorization: 'Bearer one' })
  })
})

describe('without a kubeconfig', () => {
  test('a pod uses its ServiceAccount', async () => {
    await file('token', 'pod')
    await file('ca.crt', 'CA')
    await file('namespace', 'dbtls\n')
    const config = await loadClusterConfig({
      env: { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443', HOME: folder },
      clock: new ManualClock(),
      serviceAccountFolder: folder,
    })
    expect([config.server.href, config.namespace, config.tls]).toEqual(['https://[fd00::1]/', 'dbtls', { ca: 'CA' }])
    expect(await headersOf(config)).toEqual({ authorization: 'Bearer pod' })
  })

  test('nothing to go by is said', async () => {
    await expect(loadClusterConfig({ env: {}, clock: new ManualClock() })).rejects.toThrow('no cluster is configured')
  })
})
