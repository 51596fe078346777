import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const program = fileURLToPath(new URL('../../main.ts', import.meta.url))

let folder = ''
const running: Run[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-run-'))
  mkdirSync(join(folder, 'manifests'))
})
afterEach(async () => {
  for (const run of running.splice(0)) await run.end('SIGKILL')
  rmSync(folder, { recursive: true })
})

interface Run {
  readonly text: () => string
  readonly end: (signal: NodeJS.Signals) => Promise<number | null>
  readonly exit: Promise<number | null>
}

const run = (publish = '127.0.0.1:0'): Run => {
  const args = [
    'run',
    '--manifests',
    'manifests',
    '--state',
    'state',
    '--out',
    'out',
    '--metrics-address',
    '127.0.0.1:0',
    '--publish-address',
    publish,
  ]
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...args], { cwd: folder })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += String(chunk)))
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve))
  const started: Run = {
    text: () => text,
    exit,
    end: (signal) => {
      child.kill(signal)
      return exit
    },
  }
  running.push(started)
  return started
}

const put = (dnsName: string): void =>
  writeFileSync(
    join(folder, 'manifests/orders.yaml'),
    `apiVersion: dbtls.dev/v1alpha1
kind: CertificateAuthority
metadata: {name: ca}
spec: {source: {selfSigned: {}}, subject: {commonName: CA}}
---
apiVersion: dbtls.dev/v1alpha1
kind: DatabaseCertificate
metadata: {name: orders}
spec: {authorityRef: {name: ca}, dnsNames: [${dnsName}], secret: {name: orders-tls}}
`,
  )
const names = (): string | undefined =>
  new X509Certificate(readFileSync(join(folder, 'out/default/secret/orders-tls/tls.crt'))).subjectAltName
const says = (started: Run, text: RegExp): Promise<void> =>
  expect.poll(started.text, { timeout: 60_000, interval: 50 }).toMatch(text)

describe('dbtls run', () => {
  it(
    'issues, verifies, follows an edit, names a mistake with its line, and ends cleanly',
    { timeout: 180_000 },
    async () => {
      put('one.svc')
      const first = run()
      await says(first, /^wrote +out\/default\/secret\/orders-tls \(verified: chain, key\)$/m)
      await says(first, /^ready +2 of 2 ready/m)
      expect(names()).toBe('DNS:one.svc')
      put('two.svc')
      await says(first, /^renewed +DatabaseCertificate default\/orders/m)
      await expect.poll(names, { timeout: 60_000, interval: 50 }).toBe('DNS:two.svc')
      put('"not ok"')
      await says(first, /^refused +manifests\/orders\.yaml:9: spec\.dnsNames\[0\]: /m)
      expect(names()).toBe('DNS:two.svc')
      expect(await first.end('SIGINT')).toBe(0)
    },
  )
  it('publishes where it is told to, or says in words why not', { timeout: 180_000 }, async () => {
    put('one.svc')
    const first = run()
    await says(first, /^publish +http:\/\/127\.0\.0\.1:\d+\/$/m)
    const address = /^publish +http:\/\/(.*)\/$/m.exec(first.text())?.[1] ?? ''
    await says(first, /^ready +2 of 2 ready/m)
    const index = await fetch(`http://${address}/`)
    expect([index.status, await index.text()]).toEqual([200, expect.stringContaining('None is published here.')])
    expect(await first.end('SIGINT')).toBe(0)
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => void other.once('listening', resolve))
    const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`
    const second = run(taken)
    expect(await second.exit).toBe(1)
    expect(second.text()).toContain(`dbtls run: cannot listen on ${taken}: EADDRINUSE`)
    other.close()
    const third = run('none')
    await says(third, /^ready +2 of 2/m)
    expect(third.text()).not.toMatch(/^publish /m)
    expect(await third.end('SIGINT')).toBe(0)
    expect(await run('8080').exit).toBe(2)
  })
  it('goes on where it was after a kill, and shares its state with nobody', { timeout: 180_000 }, async () => {
    put('one.svc')
    const first = run()
    await says(first, /^ready +2 of 2/m)
    const second = run()
    expect(await second.exit).toBe(1)
    expect(second.text()).toContain('is in use by another dbtls')
    const before = readFileSync(join(folder, 'out/default/secret/orders-tls/tls.crt'))
    await first.end('SIGKILL')
    const third = run()
    await says(third, /^ready +2 of 2/m)
    expect(third.text()).not.toMatch(/^(issued|renewed|created) /m)
    expect(readFileSync(join(folder, 'out/default/secret/orders-tls/tls.crt'))).toEqual(before)
    expect(await third.end('SIGTERM')).toBe(0)
  })
})
